# The options of services.runtimeModules.
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
in
{
  options.services.runtimeModules = {
    enable = mkEnableOption "modules that can be turned on and off while the machine runs";

    flake = mkOption {
      type = types.nullOr types.raw;
      default = null;
      example = literalExpression "self";
      description = ''
        The flake that this configuration comes from, as its own outputs function gets it in `self`.

        It pins what a runtime module is added to: exactly the source that the running system was built from. That
        source and those of all its inputs are kept in the store for as long as the system is, so that a module can be
        turned on without a network, and brings no change that nobody asked for.

        Where it is null, the program pins the reference that it is given.
      '';
    };

    flakeUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "git+file:///etc/nixos";
      description = ''
        The flake reference from which `runtime-module rebuild` takes a newer source of this configuration. Anything
        that Nix accepts. Where it is null, `rebuild` has to be told.
      '';
    };

    file = mkOption {
      type = types.nullOr (types.strMatching "/.*");
      default = null;
      example = "/etc/nixos/configuration.nix";
      description = ''
        The file that this configuration is in, or the folder with its `default.nix`, where it is in no flake: an absolute
        path, as a string, so that it is not copied. A plain `configuration.nix` is evaluated with the `<nixpkgs>` of the
        machine's channels.

        Nothing is pinned: a runtime module is added to what the file is on the day that it is turned on. Where a flake
        can be named, `flake` is the better choice.
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
        The names that lead to this configuration in `file`. Where there are none, the file is the configuration itself.
      '';
    };

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = literalExpression "config.networking.hostName";
      example = "laptop";
      description = "The name of this configuration among the flake's `nixosConfigurations`.";
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
        The modules that can be turned on and off, by name. A name has letters, digits, `.`, `_`, `-` and `+`, and at
        most 64 of them, and starts with neither `-` nor `.`.

        A list of entries that have a `name` is accepted as well. Modules take effect in one order, whatever order they
        were turned on in: those of lists first, in the order of the list, and then those of sets, by name.

        A module is best given as a path: then it is read only when it is turned on, and its first line, where it is a
        comment, serves as description.
      '';
    };

    builtinModules.enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to add the modules that come with runtime-module to `modules`: `rt.gimp`, `rt.podman` and the others of
        the table at the end of this page. What is never turned on costs nothing.
      '';
    };

    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      defaultText = literalExpression "the program as runtime-module's own flake builds it";
      example = literalExpression "inputs.runtime-module.packages.x86_64-linux.runtime-module-nix_2_31";
      description = ''
        The program. It is linked to the libraries of Nix 2.26 or newer; so that it does not matter which Nix the host's
        nixpkgs carries, the flake's module takes it from the flake's own nixpkgs.

        Where it is null, as in a configuration that imports the module by its path, nothing is installed: no program,
        no boot service, no activation hook.
      '';
    };

    restoreAtBoot = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether the modules that were on are turned on again after a boot. A reboot ends what a runtime module does: the
        system that boots is always the one that was built without any. With this, the boot service evaluates, builds
        and activates them again, when the network is up; until then, and where it fails, the plain system runs.
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
        Modules that are evaluated and built ahead, each by itself, a while after boot and once a day: to turn one of them
        on then only activates it. What is built stays in the store for as long as it is of use (`runtime-module cache`).
        It takes the time and memory of an evaluation for each, at the lowest priority.

        What is built serves everybody; the evaluation itself only root, who is the one that did it: a user's own
        cache has what `runtime-module prefetch` was told by that user.
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
        What happens when units fail because of a change that did not fail before it: the previous system is activated
        again, or the change stays and the exit code says so. `--on-failed-units` decides for one run.
      '';
    };

    confirm = mkOption {
      type = types.nullOr (types.strMatching "[1-9][0-9]{0,3}[smh]");
      default = null;
      example = "60s";
      description = ''
        How long the previous system waits for `runtime-module confirm` after each change before it comes back by itself:
        seconds, minutes or hours. For machines that are reached over the network that a module may break. Where it is
        null, a change is confirmed by its success.
      '';
    };

    settle = mkOption {
      type = types.strMatching "0|[1-9][0-9]{0,3}(ms|s|m|h)";
      default = "3s";
      example = "10s";
      description = ''
        How long services are watched after a change that count as started as soon as their process runs: those of the
        types `simple`, `exec` and `idle`. A service that ends with a failure within this time makes the change fail. A start
        job gets ten times as long. 0 turns this off. `--settle` decides for one run.
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
        How the program becomes root for the part of its work that needs it: `auto` takes the first of sudo, run0 and
        doas that is there, `none` none of them. `--elevate` decides for one run.
      '';
    };

    registry = mkOption {
      type = types.listOf types.raw;
      internal = true;
      readOnly = true;
      default = cfg.modules;
      defaultText = literalExpression "config.services.runtimeModules.modules";
      description = ''
        What `modules` comes to, in order: a list of sets with `name`, `description` (or null), `module`, `file` (the
        path of the module as a text, or null), `declared` (the files that define it) and `skipValidation`.
      '';
    };
  };
}
