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

        It pins the source that runtime modules extend: exactly the one that the running system was built from. The
        store keeps that source and those of all inputs while it keeps the system. So evaluating a module needs no
        network, and enabling it brings in no unrelated changes.

        If it is null, the program pins the current version of `flakeUrl`, or of the flake that you name.
      '';
    };

    flakeUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "git+file:///etc/nixos";
      description = ''
        The flake reference that `runtime-module rebuild` updates this configuration from. It must not depend on the
        current directory. If it is null, `rebuild` needs the option `--flake`.
      '';
    };

    file = mkOption {
      type = types.nullOr (types.strMatching "/.*");
      default = null;
      example = "/etc/nixos/configuration.nix";
      description = ''
        The file of this configuration, or a folder with a `default.nix`, if the configuration is not in a flake. Write
        an absolute path as a string, so that the file is not copied to the store. A plain `configuration.nix` is
        evaluated with the `<nixpkgs>` of the machine's channels.

        A file is not pinned: each change evaluates its current content. If the configuration is in a flake, set `flake`
        instead.
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
        The attribute path of this configuration in `file`. If it is empty, the file itself is the configuration.
      '';
    };

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = literalExpression "config.networking.hostName";
      example = "laptop";
      description = "The name of this configuration among the flake's `nixosConfigurations`, as `--host` takes it.";
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

        A list of entries with a `name` is also accepted. Modules always apply in the same order, whatever order they
        were enabled in: first the entries of lists in list order, then those of sets by name.

        Prefer a path as the module: the file is then read only when the module is enabled, and a comment on its first
        line is the default description.
      '';
    };

    builtinModules.enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to add the built-in modules of runtime-module to `modules`: `rt.gimp`, `rt.podman` and the others in
        the table at the end of this page. A module that is not enabled has no cost.
      '';
    };

    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      defaultText = literalExpression "the program from runtime-module's own flake";
      example = literalExpression "inputs.runtime-module.packages.x86_64-linux.runtime-module-nix_2_31";
      description = ''
        The program, which is linked to the libraries of Nix 2.26 or newer. The flake's NixOS module takes it from the
        flake's own nixpkgs, so the Nix version of the host's nixpkgs does not matter.

        If it is null, as in a configuration that imports the module by its path, nothing is installed: no program, no
        boot service and no activation hook.
      '';
    };

    restoreAtBoot = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether to enable the requested modules again after a boot. A reboot always starts the system that was built
        without runtime modules. With this option, the boot service evaluates, builds and activates the modules again
        once the network is up. Until then, and if that fails, the plain system is running.
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
        Modules to evaluate and build in advance, each separately, some minutes after boot and once a day. Enabling one
        of them then takes only an activation. The results stay in the store while they are useful (see
        `runtime-module cache`). Each module costs the time and memory of an evaluation, at the lowest priority.

        The builds serve all users, but the evaluations serve only root: the cache of another user contains the results
        of that user's own `runtime-module prefetch`.
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
        The action when a change makes units fail that did not fail before. `rollback` activates the previous system
        again. `keep` keeps the change and reports the failure by the exit code. `--on-failed-units` overrides the
        option for one run.
      '';
    };

    confirm = mkOption {
      type = types.nullOr (types.strMatching "([1-9][0-9]{0,3}(ms|s|m|h))+");
      default = null;
      example = "60s";
      description = ''
        The time that each change waits for `runtime-module confirm` before the program rolls it back, such as `60s` or
        `1h30m`. Set it on machines that you reach over a network that a module may break. If it is null, changes need
        no confirmation.
      '';
    };

    settle = mkOption {
      type = types.strMatching "0|([1-9][0-9]{0,3}(ms|s|m|h))+";
      default = "3s";
      example = "10s";
      description = ''
        The time during which a change watches services that count as started as soon as their process runs: services
        of the types `simple`, `exec` and `idle`. If such a service fails within this time, the change fails. If a unit
        is still starting, the change waits up to ten times as long. `0` disables the watch. `--settle` overrides the
        option for one run.
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
        The tool with which the program becomes root for the steps that need it. `auto` uses the first of sudo, run0
        and doas that is installed; `none` uses none of them. `--elevate` overrides the option for one run.
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
