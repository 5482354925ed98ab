# Options that have moved or gone.
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

  # All definitions of one option as definitions of another, with the priority that they have.
  passOn =
    option:
    lib.mkIf option.isDefined (
      lib.mkMerge (map (lib.mkOverride option.highestPrio) option.definitions)
    );

in
{
  # The old name keeps working, and reads what the new one has.
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
  # Whoever still sets it fails an assertion that says what to do instead; whoever reads it fails at once.
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
