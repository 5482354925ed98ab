# A guest that runtime-guest can start: its toplevel has a boot.json and an init that starts a shell on the console, and
# sshd if the guest has a share `usr` with Debian's /usr. Tests add this host to flake.nix.
{
  lib,
  pkgs,
  self,
  ...
}:
let
  init = pkgs.writeText "guest-init" ''
    #!${pkgs.busybox}/bin/sh
    export PATH=${pkgs.busybox}/bin
    system=$(dirname "$(readlink -f "$0")")
    mount -t devpts devpts /dev/pts
    mkdir -p /etc /tmp /var/empty /run/sshd
    ln -s "$system" /run/current-system
    "$system/bin/switch-to-configuration" test
    ip link set lo up
    ip addr add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    ip route add default via 10.0.2.2
    echo root:x:0:0:root:/root:/bin/sh > /etc/passwd
    echo sshd:x:100:100::/run/sshd:/bin/false >> /etc/passwd
    echo root:x:0: > /etc/group
    mkdir -p /usr /root
    chmod 700 /run/sshd
    if mount -t virtiofs -o ro usr /usr 2>/dev/null; then
      ln -s usr/lib usr/lib64 /
      printf '%s\n' 'HostKey /run/runtime-guest/ssh_host_ed25519_key' \
        'AuthorizedKeysFile /run/runtime-guest/authorized_keys' > /etc/sshd_config
      /usr/sbin/sshd -f /etc/sshd_config || echo "sshd does not start"
    fi
    echo "Reached target Multi-User System."
    while true; do
      setsid sh -c 'exec sh < /dev/ttyS0 > /dev/ttyS0 2>&1'
    done
  '';
in
{
  imports = [
    ./common.nix
    ../../../nixos/runtime-modules
  ];

  networking.hostName = "guest";
  boot.kernelParams = lib.mkForce [ "console=ttyS0,115200" ];
  services.runtimeModules = {
    enable = true;
    flake = self;
    modules.hello.module = ../runtime/hello.nix;
  };

  system.systemBuilderCommands = ''
    cp ${init} "$out/guest-init"
    chmod +x "$out/guest-init"
    cat > "$out/boot.json" <<EOF
    {
      "org.nixos.bootspec.v1": {
        "system": "$platform",
        "label": "minios $version",
        "toplevel": "$out",
        "init": "$out/guest-init",
        "kernelParams": [ "$kernelParams" ]
      },
      "runtime-module.guest.v1": { "root": "tmpfs", "virtiofs": { "store": "${builtins.storeDir}" } }
    }
    EOF
  '';
}
