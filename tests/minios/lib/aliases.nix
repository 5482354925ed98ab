# Renamed and removed options.
{ lib }:
let
  inherit (lib)
    mkOption
    optional
    optionalString
    setAttrByPath
    showFiles
    showOption
    ;

  # Copies all definitions of one option to another, with their priority.
  passOn =
    option:
    lib.mkIf option.isDefined (
      lib.mkMerge (map (lib.mkOverride option.highestPrio) option.definitions)
    );

in
{
  # The old name keeps working: reading it returns the value of the new one.
  mkRenamedOptionModule =
    from: to:
    { config, options, ... }:
    let
      old = lib.getAttrFromPath from options;
    in
    {
      options = setAttrByPath from (mkOption {
        visible = false;
        description = "Alias of `${showOption to}`.";
        apply = _: lib.getAttrFromPath to config;
      });
      config = lib.mkMerge [
        (lib.optionalAttrs (options ? warnings) {
          warnings = optional old.isDefined (
            "The option `${showOption from}' defined in ${showFiles old.files} "
            + "has been renamed to `${showOption to}'."
          );
        })
        (setAttrByPath to (passOn old))
      ];
    };
  # Setting the option fails an assertion that names a replacement; reading it fails immediately.
  mkRemovedOptionModule =
    path: advice:
    { options, ... }:
    let
      option = lib.getAttrFromPath path options;
    in
    {
      options = setAttrByPath path (mkOption {
        visible = false;
        description = "Removed.";
        apply =
          _:
          throw "The option `${showOption path}' can no longer be used since it's been removed.${
            optionalString (advice != "") " ${advice}"
          }";
      });
      config.assertions = optional option.isDefined {
        assertion = false;
        message =
          "The option definition `${showOption path}' in ${showFiles option.files} "
          + "no longer has any effect; please remove it.\n${advice}";
      };
    };
}
