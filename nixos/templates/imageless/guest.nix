{ pkgs, ... }:
{
  networking.hostName = "guest";
  guests.user.name = "alice";
  # Add your key to log in with ssh.
  users.users.alice.openssh.authorizedKeys.keys = [ ];

  environment.systemPackages = [ pkgs.fio ];

  # A folder on the host: start virtiofsd there with the tag `src`.
  # guests.shares."/mnt/src".tag = "src";

  # A disk of the guest, formatted if it is empty.
  # guests.storage."/mnt/data" = {
  #   device = "/dev/disk/by-id/virtio-data";
  #   fsType = "xfs";
  #   mkfsArgs = [ ];
  # };

  # A package from a local folder. Add `inputs` to the arguments of this file, in its first line.
  # nixpkgs.overlays = [ (_: previous: { fio = previous.fio.overrideAttrs { src = inputs.fio-source; }; }) ];
}
