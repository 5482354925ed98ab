# Writes the options of services.runtimeModules to a file in /etc for the program, and checks them against each other.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.runtimeModules;
  pure = import ./lib.nix { inherit lib; };

  isFlake = cfg.flake == null || (builtins.isAttrs cfg.flake && cfg.flake ? outPath);
  outputs = lib.optionals (isFlake && cfg.flake != null) (pure.outputEntries cfg.flake);

  hosts = pure.hostsOf cfg.flake pkgs.stdenv.hostPlatform.system cfg.host;
  home = pure.homeOf cfg.flakeUrl;
  release = lib.trivial.release or oldest;
  # The oldest release that this module supports. An assertion refuses older ones.
  oldest = "24.05";

  where = entry: lib.concatStringsSep " and " entry.declared;
  unknown = lib.subtractLists (map (entry: entry.name) (cfg.registry ++ outputs)) cfg.prefetch;
  declared = builtins.listToAttrs (map (entry: lib.nameValuePair entry.name entry) cfg.registry);
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = builtins.compareVersions release oldest >= 0;
        message =
          "services.runtimeModules needs NixOS ${oldest} or later, but this nixpkgs is ${release}. "
          + "Update the flake's input nixpkgs.";
      }
      {
        assertion = isFlake;
        message =
          "services.runtimeModules.flake is ${pure.show cfg.flake}, which is not a flake. "
          + "Set it to the `self` argument of the flake's outputs, or leave it null.";
      }
      {
        assertion = cfg.flake == null || cfg.file == null;
        message =
          "services.runtimeModules.flake and services.runtimeModules.file are both set, but a configuration has only "
          + "one source. Leave one of them null.";
      }
      {
        assertion = !isFlake || cfg.flake == null || hosts.found;
        message =
          "services.runtimeModules.host is ${builtins.toJSON cfg.host}, but the flake has no "
          + "nixosConfigurations.${cfg.host}. Set it to the name of this host there: "
          + "${lib.concatMapStringsSep " or " builtins.toJSON hosts.names}.";
      }
      {
        assertion = cfg.flakeUrl == null || pure.isReference cfg.flakeUrl;
        message =
          "services.runtimeModules.flakeUrl is ${pure.show cfg.flakeUrl}"
          + (
            if home != null then
              ", and only a shell expands `~`. Write the absolute path, for example ${builtins.toJSON home}."
            else
              ", which depends on the current directory of the program. Use an absolute reference, "
              + "for example \"git+file:///etc/nixos\"."
          );
      }
      {
        assertion = unknown == [ ];
        message =
          "services.runtimeModules.prefetch names ${
            lib.concatMapStringsSep " and " builtins.toJSON unknown
          }, "
          + "but there is no such module. Declare it in services.runtimeModules.modules, or remove it from that list.";
      }
      {
        # NixOS 24.05 has two switch programs, one of which is enabled; later releases have no enableNg.
        assertion =
          config.system.switch.enable or true
          || (builtins.tryEval (config.system.switch.enableNg or false)).value;
        message =
          "services.runtimeModules.enable is true and system.switch.enable is false, but a system without a switch "
          + "program cannot change while it is running. Enable or disable both.";
      }
    ]
    ++ lib.concatMap (
      output:
      lib.optional (declared ? ${output.name}) {
        assertion = false;
        message =
          "The runtime module `${output.name}` is defined twice: as services.runtimeModules.modules.${output.name} "
          + "in ${where declared.${output.name}}, and as the flake's output "
          + "runtimeModules.${output.name} in ${where output}. Rename or remove one of them.";
      }
      ++ lib.optional (pure.nameProblem output.name != null) {
        assertion = false;
        message =
          "The flake's output runtimeModules has the entry ${builtins.toJSON output.name} in ${where output}, "
          + "which is not a valid module name: ${pure.nameProblem output.name}. ${pure.nameRule}";
      }
    ) outputs;

    warnings = lib.optional (cfg.flake == null && cfg.file == null) (
      "services.runtimeModules.flake is null, so runtime modules extend the current version of the configuration "
      + "instead of the source that this system was built from"
      + lib.optionalString (
        cfg.flakeUrl == null
      ) ", and services.runtimeModules.flakeUrl does not name the flake"
      + ". Set services.runtimeModules.flake to the `self` argument of the flake's outputs. If the configuration is "
      + "not in a flake, set services.runtimeModules.file to its file."
    );

    environment.etc."runtime-modules/config.json".text = builtins.toJSON (
      pure.document {
        inherit (cfg)
          flake
          flakeUrl
          file
          fileAttribute
          registry
          restoreAtBoot
          onFailedUnits
          confirm
          settle
          elevation
          ;
        host = if cfg.flake == null then cfg.host else hosts.name;
        inherit (cfg.overrides) onMismatch;
      }
    );
  };
}
