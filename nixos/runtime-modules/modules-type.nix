# The type of services.runtimeModules.modules.
#
# Neither a list nor a set of submodules fits: both forms can be mixed, the order matters, duplicate names must be
# detected, and a thousand entries must not cost a thousand evaluations of a submodule. The value of the type is the
# list that `registry` shows.
{ lib }:
let
  inherit (lib) concatMap optional;
  pure = import ./lib.nix { inherit lib; };
  entry = import ./entry.nix { inherit lib; };

  # The result for a list element that has no name or is not a set.
  nameless = file: position: value: {
    name = null;
    files = file;
    entry = null;
    problems = [
      (
        "entry ${toString position} of the list in ${file} "
        + (
          if builtins.isAttrs value then
            "has no `name`. Give it one"
          else
            "is ${pure.show value}, but an entry is a set"
        )
        + ": `{ name = \"x\"; path = ./x.nix; }`."
      )
    ];
  };

  # Reads a list whose elements contain their names.
  readList =
    loc: def:
    let
      readElement =
        position: element:
        map (
          found:
          if builtins.isAttrs found.value && builtins.isString (found.value.name or null) then
            entry.read loc found.value.name [ (found // { value = removeAttrs found.value [ "name" ]; }) ]
          else
            nameless (pure.plain def.file) position found.value
        ) (entry.unwrap (loc ++ [ "[entry ${toString position}]" ]) [ (def // { value = element; }) ]);
    in
    lib.concatLists (lib.imap1 readElement def.value);

  # Reads all sets together, since several files can define parts of one entry.
  readSets =
    loc: defs:
    let
      byName = lib.zipAttrsWith (_: all: all) (
        map (def: lib.mapAttrs (_: value: def // { inherit value; }) def.value) defs
      );
      readName =
        name: all:
        let
          present = entry.unwrap (loc ++ [ name ]) all;
        in
        optional (present != [ ]) (entry.read loc name present);
    in
    lib.concatLists (lib.mapAttrsToList readName byName);

  # Lists a problem for each name that several entries have.
  twice =
    read:
    let
      byName = builtins.groupBy (one: one.name) (lib.filter (one: one.name != null) read);
      problem =
        name:
        let
          same = byName.${name};
          files = lib.unique (map (one: one.files) same);
        in
        optional (lib.length same > 1) (
          "the name ${builtins.toJSON name} is given to ${toString (lib.length same)} modules, "
          + "in ${lib.concatStringsSep " and " files}. Rename or remove one of them."
        );
    in
    concatMap problem (lib.attrNames byName);

  merge =
    loc: defs:
    let
      lists = lib.filter (def: builtins.isList def.value) defs;
      sets = lib.filter (def: builtins.isAttrs def.value) defs;
      read = concatMap (readList loc) lists ++ readSets loc sets;
      # There can be duplicate names only if there are lists.
      problems = concatMap (one: one.problems) read ++ lib.optionals (lists != [ ]) (twice read);
    in
    if problems == [ ] then
      map (one: one.entry) read
    else
      throw (
        "The option `${lib.showOption loc}` has invalid entries:"
        + lib.concatMapStrings (problem: "\n- ${problem}") problems
      );
in
lib.mkOptionType {
  name = "runtimeModules";
  description = "attribute set of runtime modules, or list of them";
  descriptionClass = "noun";
  check = value: builtins.isAttrs value || builtins.isList value;
  inherit merge;
  emptyValue.value = [ ];
  getSubOptions =
    prefix: (lib.types.submodule ./entry-options.nix).getSubOptions (prefix ++ [ "<name>" ]);
}
