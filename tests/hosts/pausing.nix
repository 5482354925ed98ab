# A configuration whose system is evaluated as a whole, but is built in a moment and takes a while to be switched to: to
# see what is held in memory meanwhile. In NixOS itself the option `system.build.toplevel` is read-only.
#
# What is built is one script, made with the machine's own shell: the store must be one that builds without a sandbox.
let
  pausing =
    configuration:
    let
      inherit (configuration) config;
      whole = config.system.build.toplevel;
      toplevel = derivation {
        name = "nixos-system-pausing";
        system = "x86_64-linux";
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
        # The name of the whole, without which all of it would be built.
        whole = builtins.unsafeDiscardStringContext whole.drvPath;
        args = [
          "-c"
          ''
            # Nothing is handed a machine that lacks these.
            mkdir -p $out/bin $out/etc $out/sw
            echo 'systemd 255' > $out/init-interface-version
            echo pausing > $out/nixos-version
            touch $out/activate
            cat > $out/bin/switch-to-configuration <<END
            #!/bin/sh
            date +%s.%N > "\$RUNTIME_MODULE_ROOT/switching"
            [ -e "\$RUNTIME_MODULE_ROOT/at-once" ] || sleep 4
            mkdir -p "\$RUNTIME_MODULE_ROOT/run"
            ln -sfn $out "\$RUNTIME_MODULE_ROOT/run/current-system"
            END
            chmod +x $out/bin/switch-to-configuration
          ''
        ];
      };
    in
    configuration
    // {
      extendModules = arguments: pausing (configuration.extendModules arguments);
      config = config // {
        system = config.system // {
          build = config.system.build // {
            inherit toplevel;
          };
        };
      };
    };
in
pausing
