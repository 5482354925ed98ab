# Formats options, files and values for messages.
{ lib }:
let
  inherit (builtins)
    concatStringsSep
    isAttrs
    isBool
    isList
    isPath
    isString
    match
    ;

  plainName = "[a-zA-Z_][a-zA-Z0-9_'-]*";

  # Values can be huge or infinite, so a message shows three levels and the beginning of a string.
  showAt =
    depth: value:
    if isString value then
      builtins.toJSON (
        if builtins.stringLength value > 200 then builtins.substring 0 200 value + "…" else value
      )
    else if value == null then
      "null"
    else if isBool value then
      lib.boolToString value
    else if isPath value then
      toString value
    else if lib.isFunction value then
      "<function>"
    else if isList value then
      if value == [ ] then
        "[ ]"
      else if depth == 0 then
        "[ … ]"
      else
        "[ ${lib.concatMapStringsSep " " (showAt (depth - 1)) value} ]"
    else if isAttrs value then
      if lib.isDerivation value then
        "<derivation ${value.name or "?"}>"
      else if value == { } then
        "{ }"
      else if depth == 0 then
        "{ … }"
      else
        "{ ${
          concatStringsSep " " (
            lib.mapAttrsToList (name: inner: "${showName name} = ${showAt (depth - 1) inner};") value
          )
        } }"
    else
      toString value;

  # A placeholder such as <name> is not quoted, although it is not an identifier.
  showName =
    name:
    if match plainName name != null || match "<.*>|\\*" name != null then
      name
    else
      builtins.toJSON name;
in
{
  boolToString = value: if value then "true" else "false";

  showValue = showAt 3;

  # [ "a" "b c" ] is formatted as a."b c".
  showOption = lib.concatMapStringsSep "." showName;

  showFiles = lib.concatMapStringsSep " and " (file: "`${toString file}'");

  # A definition that throws must not hide the rest of the message.
  showDefs = lib.concatMapStrings (
    def:
    let
      tried = builtins.tryEval (lib.showValue def.value);
    in
    "\n- In `${toString def.file}'${lib.optionalString tried.success ": ${tried.value}"}"
  );
}
