# A container engine; its parts take some seconds to build
{ pkgs, ... }:
let
  part =
    name:
    pkgs.runCommand "container-${name}" { } ''
      for step in 1 2 3 4 5; do
        echo "compiling ${name}: file $step of 5"
        sleep 0.3
      done
      echo "${name}" > "$out"
    '';

  engine =
    pkgs.runCommand "container-engine"
      {
        parts = map part [
          "runtime"
          "network"
          "storage"
        ];
      }
      ''
        mkdir -p "$out/bin"
        echo "linking the engine"
        sleep 0.5
        { echo "#!${pkgs.busybox}/bin/sh"; for part in $parts; do echo "# $(cat "$part")"; done; echo 'while sleep 60; do :; done'; } > "$out/bin/engine"
        chmod +x "$out/bin/engine"
      '';
in
{
  environment.systemPackages = [ engine ];

  systemd.services.containers = {
    description = "Container engine";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${engine}/bin/engine";
  };
}
