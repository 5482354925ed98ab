# `box`, evaluated as a whole but built in a moment, and slow to be switched to: to see what is held in memory meanwhile.
#
# Its system is one script, made with the machine's own shell: the store must be one that builds without a sandbox.
{ config, lib, ... }:
let
  inherit (config.system) build;

  # All of box is evaluated before this is anything.
  evaluated = lib.foldl' (count: part: builtins.seq part.drvPath (count + 1)) 0 [
    build.etc
    build.kernel
    build.initialRamdisk
    config.system.path
  ];
in
{
  imports = [ ./box.nix ];

  networking.hostName = lib.mkForce "box-pause";

  system.build.toplevel = lib.mkForce (derivation {
    name = "nixos-system-box-pause";
    system = "x86_64-linux";
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    inherit evaluated;
    jenkins = config.services.jenkins.enable;
    args = [
      "-c"
      ''
        mkdir -p $out/bin
        echo 'mkdir -p "$RUNTIME_MODULE_ROOT/run"' > script
        echo "ln -sfn $out \"\$RUNTIME_MODULE_ROOT/run/current-system\"" >> script
        { echo '#!/bin/sh'; echo 'sleep 4'; cat script; } > $out/bin/switch-to-configuration
        chmod +x $out/bin/switch-to-configuration
      ''
    ];
  });
}
