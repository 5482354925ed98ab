# What services.runtimeModules does to a system: one file in /etc, and the assertions that only the whole can make.
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

  where = entry: lib.concatStringsSep " and " entry.declared;
  declared = builtins.listToAttrs (map (entry: lib.nameValuePair entry.name entry) cfg.registry);
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = isFlake;
        message =
          "services.runtimeModules.flake is ${pure.show cfg.flake}, which is no flake. "
          + "Set it to the `self` that the flake's outputs are called with, or leave it null.";
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

    environment.etc."runtime-modules/config.json".text = builtins.toJSON (
      pure.document {
        inherit (cfg)
          flake
          flakeUrl
          host
          registry
          ;
      }
    );
  };
}
