# The keys that runtime-guest makes for a guest. runtime-guest appends an archive to the initrd, with a key that may log
# in as root and with the guest's host key. This way needs no driver in the kernel, and no other user can read the keys.
{ config, lib, ... }:
let
  folder = "/run/runtime-guest";
  hostKey = "${folder}/ssh_host_ed25519_key";
in
{
  config = lib.mkIf (config.guests.backend == "imageless") {
    # /run is the same file system before and after the initrd.
    boot.initrd.systemd.services.guest-keys = {
      description = "Keep the keys of the guest";
      wantedBy = [ "initrd.target" ];
      before = [ "initrd-switch-root.target" ];
      unitConfig = {
        DefaultDependencies = false;
        ConditionPathExists = "/runtime-guest";
      };
      serviceConfig.Type = "oneshot";
      script = ''
        cp -R /runtime-guest ${folder}
        chmod 600 ${hostKey}
      '';
    };

    # Without runtime-guest, sshd makes the host key here, and nobody can log in with the other key.
    services.openssh = {
      hostKeys = lib.mkDefault [
        {
          path = hostKey;
          type = "ed25519";
        }
      ];
      authorizedKeysFiles = [ "${folder}/authorized_keys" ];
    };
  };
}
