# Declares the options of services.runtimeModules.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.runtimeModules;
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    types
    ;
  # The syntax of durations in flags.
  duration = types.strMatching "[0-9]{1,8}(\\.[0-9]{1,9})?|([0-9]{1,4}(\\.[0-9]{1,3})?(ms|s|min|m|h|d)){1,6}";
in
{
  options.services.runtimeModules = {
    enable = mkEnableOption "modules that can be enabled and disabled on the running system";

    flake = mkOption {
      type = types.nullOr types.raw;
      default = null;
      example = literalExpression "self";
      description = ''
        The flake of this configuration: the `self` argument of its outputs function.

        If this option is set, runtime modules extend exactly the source that the running system was built from. The
        store keeps this source and the sources of all inputs as long as it keeps the system. Therefore, evaluating a
        module does not fetch the inputs again, and enabling a module does not bring in unrelated changes.

        If this option is null, the program pins the current version of the flake that `--flake` or the option
        `flakeUrl` names, or of the flake in `/etc/nixos`.
      '';
    };

    flakeUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "git+file:///etc/nixos";
      description = ''
        The flake reference from which `runtime-module rebuild` updates this configuration. The reference must not
        depend on the current directory.

        If this option is null, `rebuild` uses the reference of the flake that was pinned last. If no flake is pinned,
        it uses the flake in `/etc/nixos`. If the option `flake` is set and no other flake has been pinned since the
        last boot, `rebuild` needs `--flake`.
      '';
    };

    file = mkOption {
      type = types.nullOr (types.strMatching "/.*");
      default = null;
      example = "/etc/nixos/configuration.nix";
      description = ''
        The path of a configuration that is not in a flake: either a file, or a folder with a `default.nix` or
        `configuration.nix`. Write an absolute path as a string, so that Nix does not copy the file to the store. A
        plain `configuration.nix` is evaluated with the `<nixpkgs>` of the machine's channels.

        The program does not pin a file: each change evaluates the file's current content. If the configuration is in a
        flake, set the option `flake` instead.
      '';
    };

    fileAttribute = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "nodes"
        "laptop"
      ];
      description = ''
        The attribute path of this configuration in `file`. If the path is empty, the file itself is the configuration.
      '';
    };

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = literalExpression "config.networking.hostName";
      example = "laptop";
      description = "The name of this configuration in the flake's `nixosConfigurations`, in the form that `--host` accepts.";
    };

    modules = mkOption {
      type = import ./modules-type.nix { inherit lib; };
      default = { };
      example = literalExpression ''
        {
          gimp = {
            module = ./runtime/gimp.nix;
            description = "Image editor";
          };
          printing.module = { services.printing.enable = true; };
        }
      '';
      description = ''
        The modules that can be enabled and disabled, by name. A name consists of at most 64 letters, digits, `.`, `_`,
        `-` and `+`, and does not start with `-` or `.`.

        A list of entries with a `name` is also accepted. Modules always apply in the same order, regardless of the
        order in which they were enabled: first the entries of lists, in the order of the list, and then the entries of
        sets, sorted by name.

        Prefer the path of a file to an inline module. A file is read only when its module is enabled, and a comment at
        the beginning of the file becomes the default description.
      '';
    };

    builtinModules.enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to add the built-in modules of runtime-module, such as `rt.gimp` and `rt.podman`, to `modules`. The
        table at the end of this page lists them. A module costs nothing until it is enabled.
      '';
    };

    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      defaultText = literalExpression "the program from runtime-module's own flake";
      example = literalExpression "inputs.runtime-module.packages.x86_64-linux.runtime-module-nix_2_31";
      description = ''
        The runtime-module package to install. It must be linked against libnix 2.26 or newer. The flake provides
        packages for Nix 2.28 to 2.35. If you import the NixOS module from the flake, the package is built with the
        flake's own nixpkgs, so the Nix version of the host's nixpkgs does not matter.

        If this option is null, nothing is installed: no program, no boot service and no activation hook. Null is the
        default if the configuration imports the NixOS module by its path instead of from the flake.
      '';
    };

    restoreAtBoot = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to enable the requested modules again after a boot. A reboot always starts the system that was built
        without runtime modules. With this option, the boot service waits for the network, and up to five minutes for
        the boot to finish. After that, it evaluates, builds and activates the modules again. Until then, the machine
        runs the system without runtime modules. If the boot service fails, that system stays active.
      '';
    };

    prefetch = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "printing"
        "rt.podman"
      ];
      description = ''
        Modules to evaluate and build in advance, five to ten minutes after boot and once a day. Enabling one of these
        modules then only needs an activation. Each module is evaluated separately and costs the time and memory of an
        evaluation. The service runs at the lowest priority. The results stay in the store until `runtime-module cache
        clear` removes them or they exceed the limits of the cache.

        All users benefit from the builds, but only root benefits from the cached evaluations. Other users can run
        `runtime-module prefetch` to fill their own caches.
      '';
    };

    onFailedUnits = mkOption {
      type = types.enum [
        "rollback"
        "keep"
      ];
      default = "rollback";
      example = "keep";
      description = ''
        The action to take if units fail because of a change. `rollback` activates the previous system again. `keep`
        keeps the change and reports the failure in the exit code. `--on-failed-units` overrides this option for one
        run.
      '';
    };

    overrides.onMismatch = mkOption {
      type = types.enum [
        "finish"
        "undo"
      ];
      default = "finish";
      example = "undo";
      description = ''
        The response to an option override that was applied without a new toplevel and turns out to be incomplete.
        Such an override takes effect before the whole system is evaluated. Afterwards, the program makes the whole
        system in the background, and compares it with the running system. If they differ, `finish` activates the
        whole system, and `undo` returns to the last verified state. If the whole system cannot be evaluated with the
        override, for example because an assertion fails, the program always returns to the last verified state.
      '';
    };

    confirm = mkOption {
      type = types.nullOr duration;
      default = null;
      example = "60s";
      description = ''
        How long each change waits for `runtime-module confirm`, such as `60s` or `1h30m`. If nobody confirms within
        this time, the change is rolled back. Set this option on a remote machine if a module could break your
        connection to it. If this option is null or `0`, changes need no confirmation.
      '';
    };

    settle = mkOption {
      type = duration;
      default = "3s";
      example = "10s";
      description = ''
        The settle time, during which a change watches services of the types `simple`, `exec` and `idle`. systemd
        considers such a service started as soon as its process runs. If such a service fails within the settle time,
        the change fails. If a unit is still starting, the change waits for it up to ten times the settle time. With
        `0`, the change checks each service only once, without waiting. `--settle` overrides this option for one run.
      '';
    };

    elevation = mkOption {
      type = types.enum [
        "auto"
        "sudo"
        "run0"
        "doas"
        "none"
      ];
      default = "auto";
      example = "run0";
      description = ''
        The tool that the program uses to become root for the steps that need root. `auto` selects the first of sudo,
        run0 and doas that is installed. With `none`, the program does not try to become root. `--elevate` overrides
        this option for one run.
      '';
    };

    registry = mkOption {
      type = types.listOf types.raw;
      internal = true;
      readOnly = true;
      default = cfg.modules;
      defaultText = literalExpression "config.services.runtimeModules.modules";
      description = ''
        The modules in the order in which they apply: a list of sets with `name`, `description` (or null), `module`,
        `file` (the path of the module as a string, or null), `declared` (the files that define it) and
        `skipValidation`.
      '';
    };
  };
}
