# Functions on strings.
{ lib }:
let
  inherit (builtins)
    filter
    genList
    match
    split
    ;

  unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

  # The printable ASCII characters that must be escaped in a URL, with their codes.
  reserved = {
    " " = "%20";
    "!" = "%21";
    "\"" = "%22";
    "#" = "%23";
    "$" = "%24";
    "%" = "%25";
    "&" = "%26";
    "'" = "%27";
    "(" = "%28";
    ")" = "%29";
    "*" = "%2A";
    "+" = "%2B";
    "," = "%2C";
    "/" = "%2F";
    ":" = "%3A";
    ";" = "%3B";
    "<" = "%3C";
    "=" = "%3D";
    ">" = "%3E";
    "?" = "%3F";
    "@" = "%40";
    "[" = "%5B";
    "\\" = "%5C";
    "]" = "%5D";
    "^" = "%5E";
    "`" = "%60";
    "{" = "%7B";
    "|" = "%7C";
    "}" = "%7D";
  };
in
rec {
  inherit (builtins)
    concatStringsSep
    isString
    replaceStrings
    stringLength
    substring
    ;

  optionalString = condition: text: if condition then text else "";

  concatStrings = concatStringsSep "";
  concatMapStrings = f: list: concatStrings (map f list);
  concatMapStringsSep =
    separator: f: list:
    concatStringsSep separator (map f list);
  concatLines = concatMapStrings (line: line + "\n");

  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      start = stringLength text - stringLength suffix;
    in
    start >= 0 && substring start (stringLength suffix) text == suffix;

  removePrefix =
    prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;

  removeSuffix =
    suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;

  hasInfix = part: text: builtins.match ".*${escapeRegex part}.*" text != null;

  escapeRegex =
    let
      special = lib.stringToCharacters "\\[{()^$?*+|.";
    in
    replaceStrings special (map (c: "\\" + c) special);

  # `split` also returns the matches; keep only the text between them.
  splitString = separator: text: filter isString (split (escapeRegex separator) text);

  stringToCharacters = text: genList (i: substring i 1 text) (stringLength text);

  fixedWidthNumber =
    width: number:
    let
      digits = toString number;
    in
    concatStrings (genList (_: "0") (width - stringLength digits)) + digits;

  escapeURL =
    let
      plain = lib.genAttrs (stringToCharacters unreserved) (c: c);
    in
    text: concatMapStrings (c: plain.${c} or reserved.${c} or c) (stringToCharacters text);

  # Quotes a word for a shell if necessary.
  escapeShellArg =
    word:
    let
      text = toString word;
    in
    if match "[[:alnum:],._+:@%/-]+" text != null then
      text
    else
      "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;

  # Values that can be coerced to strings: strings, paths, and some sets.
  isStringLike =
    value: isString value || builtins.isPath value || value ? outPath || value ? __toString;

  isStorePath =
    value:
    isStringLike value
    && (
      let
        text = toString value;
      in
      substring 0 1 text == "/" && dirOf text == builtins.storeDir
    );
}
