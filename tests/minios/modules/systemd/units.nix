# Unit files as text, with the units that want them.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  enabled = lib.filterAttrs (_: unit: unit.enable) config.systemd.units;
in
{
  options.systemd.units = mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, config, ... }:
        {
          options = {
            enable = mkOption {
              type = types.bool;
              default = true;
              description = "Whether to create the unit.";
            };
            text = mkOption {
              type = types.nullOr types.str;
              default = null;
              description = "The content of the unit file.";
            };
            wantedBy = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "Units that want this one.";
            };
            unit = mkOption {
              type = types.package;
              internal = true;
              description = "The folder with the unit file.";
            };
          };
          # The links in /etc/systemd/system point to this file, so give it the full name of the unit.
          config.unit =
            pkgs.runCommand "unit-${name}"
              {
                inherit (config) text;
                unitName = name;
                passAsFile = [ "text" ];
              }
              ''
                mkdir "$out"
                cp "$textPath" "$out/$unitName"
              '';
        }
      )
    );
    default = { };
    description = "Unit files, by their full name.";
  };

  config.environment.etc = lib.mkMerge (
    lib.mapAttrsToList (
      name: unit:
      {
        "systemd/system/${name}".source = "${unit.unit}/${name}";
      }
      // lib.listToAttrs (
        map (
          target:
          lib.nameValuePair "systemd/system/${target}.wants/${name}" { source = "${unit.unit}/${name}"; }
        ) unit.wantedBy
      )
    ) enabled
  );
}
