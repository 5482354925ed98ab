# A configuration that is evaluated completely, is built quickly, and takes a while to activate. It is for measuring the
# memory in use during the activation. It wraps the configuration, because the option `system.build.toplevel` of NixOS
# is read-only.
#
# The only build is a script that uses the machine's own shell, so the store must build without a sandbox.
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
        # The path of the derivation, without its string context, which would make the toplevel a build dependency.
        whole = builtins.unsafeDiscardStringContext whole.drvPath;
        args = [
          "-c"
          ''
            # The program checks for these files before it activates a system.
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
