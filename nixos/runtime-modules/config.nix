# What services.runtimeModules says to the program, in one file in /etc; and what only the whole can tell is wrong.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.runtimeModules;
  pure = import ./lib.nix { inherit lib; };

  isFlake = cfg.flake == null || (builtins.isAttrs cfg.flake && cfg.flake ? outPath);
  outputs = lib.optionals (isFlake && cfg.flake != null) (pure.outputEntries cfg.flake);

  hosts = lib.attrNames (cfg.flake.nixosConfigurations or { });
  release = lib.trivial.release or oldest;
  # The oldest nixpkgs whose options this module and its built-in modules use.
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
          "services.runtimeModules needs NixOS ${oldest} or later, and this nixpkgs is ${release}. "
          + "Move the flake's input nixpkgs to a later release.";
      }
      {
        assertion = isFlake;
        message =
          "services.runtimeModules.flake is ${pure.show cfg.flake}, which is no flake. "
          + "Set it to the `self` that the flake's outputs are called with, or leave it null.";
      }
      {
        assertion = cfg.flake == null || cfg.file == null;
        message =
          "services.runtimeModules.flake and services.runtimeModules.file are both set, and a configuration is in a flake "
          + "or in a file. Leave one of them null.";
      }
      {
        assertion = !isFlake || hosts == [ ] || lib.elem cfg.host hosts;
        message =
          "services.runtimeModules.host is ${builtins.toJSON cfg.host}, and the flake has no "
          + "nixosConfigurations.${cfg.host}. Set it to the name that this host has there: "
          + "${lib.concatMapStringsSep " or " builtins.toJSON hosts}.";
      }
      {
        assertion = cfg.flakeUrl == null || pure.isReference cfg.flakeUrl;
        message =
          "services.runtimeModules.flakeUrl is ${pure.show cfg.flakeUrl}, which means another place in every folder "
          + "that the program is called from. Name the whole place, for example \"git+file:///etc/nixos\".";
      }
      {
        assertion = unknown == [ ];
        message =
          "services.runtimeModules.prefetch names ${
            lib.concatMapStringsSep " and " builtins.toJSON unknown
          }, "
          + "and there is no such module. Declare it in services.runtimeModules.modules, or take it off that list.";
      }
      {
        # 24.05 has two such programs, of which one is there; later releases have no enableNg.
        assertion =
          config.system.switch.enable or true
          || (builtins.tryEval (config.system.switch.enableNg or false)).value;
        message =
          "services.runtimeModules.enable is true and system.switch.enable is false: a system without a switch program "
          + "cannot be changed while it runs. Set one of them to the other's value.";
      }
    ]
    ++ lib.concatMap (
      output:
      lib.optional (declared ? ${output.name}) {
        assertion = false;
        message =
          "The runtime module `${output.name}` is there twice: services.runtimeModules.modules.${output.name} "
          + "is defined in ${where declared.${output.name}}, and the flake has an output "
          + "runtimeModules.${output.name}, in ${where output}. Rename or remove one of them.";
      }
      ++ lib.optional (pure.nameProblem output.name != null) {
        assertion = false;
        message =
          "The flake's output runtimeModules has ${builtins.toJSON output.name} in ${where output}, "
          + "which cannot be the name of a module: ${pure.nameProblem output.name}. ${pure.nameRule}";
      }
    ) outputs;

    warnings = lib.optional (cfg.flake == null && cfg.file == null) (
      "services.runtimeModules.flake is null, so runtime modules are added to whatever the flake is on the day that they "
      + "are turned on, and not to what this system was built from"
      + lib.optionalString (
        cfg.flakeUrl == null
      ) "; nor does services.runtimeModules.flakeUrl say which flake that is"
      + ". Set it to the `self` that the flake's outputs are called with; of a configuration in no flake, set "
      + "services.runtimeModules.file to its file."
    );

    environment.etc."runtime-modules/config.json".text = builtins.toJSON (
      pure.document {
        inherit (cfg)
          flake
          flakeUrl
          file
          fileAttribute
          host
          registry
          restoreAtBoot
          onFailedUnits
          confirm
          settle
          elevation
          ;
      }
    );
  };
}
