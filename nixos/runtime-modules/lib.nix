# Pure functions of services.runtimeModules: names, paths, and what can be known of a flake by its `self`.
{ lib }:
let
  inherit (lib)
    concatMap
    concatMapStringsSep
    escapeURL
    hasPrefix
    hasSuffix
    optional
    removePrefix
    splitString
    ;

  longest = 64;
  usualName = "[A-Za-z0-9_+][A-Za-z0-9._+-]{0,${toString (longest - 1)}}";

  # Text without what it depends on: for names of files that are only shown.
  plain = value: builtins.unsafeDiscardStringContext (toString value);

  # Whether looking at a path costs no build: a text may stand for the output of a derivation.
  isCheap =
    path:
    builtins.isPath path
    || builtins.all (source: !(source ? outputs || source ? allOutputs)) (
      builtins.attrValues (builtins.getContext path)
    );
in
rec {
  inherit plain;

  # --- names ---

  nameRule =
    "A name has letters, digits, `.`, `_`, `-` and `+`, at most ${toString longest} of them, "
    + "and starts with neither `-` nor `.`.";

  # What is wrong with a name, or null.
  nameProblem =
    name:
    let
      strange = builtins.match "[A-Za-z0-9._+-]*([^A-Za-z0-9._+-]).*" name;
      character = lib.head strange;
    in
    # The one look that is enough for nearly all.
    if builtins.match usualName name != null then
      null
    else if name == "" then
      "it is empty"
    else if builtins.match ".*[[:space:]].*" name != null then
      "it has white space in it"
    else if builtins.match ".*/.*" name != null then
      "it has a slash in it"
    else if builtins.match ".*[[:cntrl:]].*" name != null then
      "it has a control character in it"
    else if strange != null then
      "it has ${
        if builtins.match "[[:print:]]" character != null then
          "`${character}`"
        else
          "a character that is not allowed"
      } in it"
    else if lib.stringLength name > longest then
      "it has ${toString (lib.stringLength name)} characters"
    else
      "it starts with `${builtins.substring 0 1 name}`";

  # --- values in messages ---

  # Enough of a value to recognise it, without looking into it.
  show =
    value:
    if builtins.isString value then
      builtins.toJSON value
    else if builtins.isPath value then
      toString value
    else if lib.isFunction value then
      "a function"
    else if builtins.isAttrs value then
      "a set"
    else if builtins.isList value then
      "a list"
    else if value == null then
      "null"
    else
      builtins.toJSON value;

  # --- modules and their files ---

  # A path, or a text that is an absolute path.
  isModulePath = value: builtins.isPath value || (builtins.isString value && hasPrefix "/" value);

  # The file of a module that is one path, as plain text; else null. Of a module it needs to know no more than what kind
  # of value it is.
  fileOf =
    module:
    let
      only =
        if builtins.isAttrs module && lib.attrNames module == [ "imports" ] then module.imports else [ ];
      path =
        if isModulePath module then
          module
        else if builtins.isList only && lib.length only == 1 && isModulePath (lib.head only) then
          lib.head only
        else
          null;
      # A folder stands for the file in it. What ends in .nix is taken for a file without asking.
      isFolder =
        !hasSuffix ".nix" (plain path) && isCheap path && builtins.pathExists (path + "/default.nix");
    in
    if path == null then null else plain path + lib.optionalString isFolder "/default.nix";

  # A file inside of the source, relative to its root; else null.
  fileInSource =
    source:
    let
      root = "${plain source}/";
      rootLength = lib.stringLength root;
    in
    file:
    if file != null && builtins.substring 0 rootLength file == root then
      builtins.substring rootLength (-1) file
    else
      null;

  # --- the flake ---

  # Whether a reference names the same place wherever it is read: an address, an absolute path, or an entry of the flake
  # registry.
  isReference =
    reference:
    !(hasPrefix "." reference || hasPrefix "?" reference || hasPrefix "#" reference || reference == "")
    && builtins.match "path:[^/].*" reference == null
    && builtins.match "git\\+file:[^/].*" reference == null;

  # Each part of a path on its own, so that the slashes stay.
  escapePath = path: concatMapStringsSep "/" escapeURL (splitString "/" path);

  # The reference to a source in the store, with all that is known of it and fixes it.
  storeUrl =
    {
      source,
      dir,
      narHash,
      lastModified,
      rev,
      revCount,
      ...
    }:
    let
      parameters =
        optional (dir != "") "dir=${escapePath dir}"
        ++ optional (lastModified != null) "lastModified=${toString lastModified}"
        # A slash as libnix leaves it: the same tree is to have one name.
        ++ optional (narHash != null) "narHash=${escapePath narHash}"
        ++ optional (rev != null) "rev=${rev}"
        ++ optional (revCount != null) "revCount=${toString revCount}";
    in
    "path:${escapePath (plain source)}"
    + lib.optionalString (parameters != [ ]) "?${lib.concatStringsSep "&" parameters}";

  # The folder in the store that a flake, or an input that is none, was copied to: keeps its context.
  sourceOf = flake: "${flake.sourceInfo.outPath or flake.outPath}";

  # The sources of all inputs, those of inputs included, each once and sorted. An input may well be one that led here
  # (`follows`), and the flake's own source may be among them: neither is followed or listed again.
  inputSources =
    flake:
    let
      nodesOf =
        flake:
        concatMap (
          input:
          optional (builtins.isAttrs input && input ? outPath) {
            key = plain input.outPath;
            inherit input;
          }
        ) (builtins.attrValues (flake.inputs or { }));
      nodes = builtins.genericClosure {
        startSet = nodesOf flake;
        operator = node: nodesOf node.input;
      };
      own = plain (sourceOf flake);
      # As names of a set: each once, and sorted.
      byPath = builtins.listToAttrs (
        map (node: {
          name = plain (sourceOf node.input);
          value = sourceOf node.input;
        }) nodes
      );
    in
    builtins.attrValues (removeAttrs byPath [ own ]);

  # All that is written down about a flake.
  flakeFacts =
    flake:
    let
      info = flake.sourceInfo or flake;
      source = sourceOf flake;
      lockFile = flake.outPath + "/flake.lock";
      facts = {
        inherit source;
        dir = lib.removePrefix "/" (removePrefix (plain source) (plain flake.outPath));
        narHash = info.narHash or null;
        lastModified = info.lastModified or null;
        rev = info.rev or null;
        revCount = info.revCount or null;
        dirtyRev = info.dirtyRev or null;
        dirtyShortRev = info.dirtyShortRev or null;
        lock =
          if builtins.pathExists lockFile then
            builtins.fromJSON (builtins.unsafeDiscardStringContext (builtins.readFile lockFile))
          else
            null;
        inputs = inputSources flake;
      };
    in
    facts // { url = storeUrl facts; };

  # The modules that the flake itself offers, by name, in the shape of the registry. An output is a module, or a set
  # that holds one as `module`.
  outputEntries =
    flake:
    let
      outputs = flake.runtimeModules or { };
      dir = (lib.removePrefix "/" (removePrefix (plain (sourceOf flake)) (plain flake.outPath)));
    in
    map (
      name:
      let
        output = outputs.${name};
        isEntry = builtins.isAttrs output && output ? module;
        module = if isEntry then output.module else output;
      in
      {
        inherit name module;
        description = if isEntry then output.description or null else null;
        file = fileOf module;
        declared = [ (plain (sourceOf flake) + lib.optionalString (dir != "") "/${dir}" + "/flake.nix") ];
        skipValidation = if isEntry then output.skipValidation or false else false;
      }
    ) (lib.attrNames outputs);

  # --- config.json ---

  # The document that the program reads, schema 1: `config.schema.json` beside this file.
  document =
    {
      flake,
      flakeUrl,
      file,
      fileAttribute,
      host,
      registry,
      restoreAtBoot,
      onFailedUnits,
      confirm,
      settle,
      elevation,
    }:
    let
      facts = flakeFacts flake;
      relative = if flake == null then _: null else fileInSource facts.source;
      shown =
        file:
        let
          inside = relative file;
        in
        if inside == null then file else inside;
      entry = origin: one: {
        inherit (one) name description skipValidation;
        file = relative one.file;
        inherit origin;
        declared = map shown one.declared;
      };
    in
    {
      schema = 1;
      flake = if flake == null then null else facts;
      inherit
        flakeUrl
        host
        restoreAtBoot
        onFailedUnits
        confirm
        settle
        elevation
        ;
      modules =
        map (entry "option") registry
        ++ map (entry "output") (if flake == null then [ ] else outputEntries flake);
    }
    // lib.optionalAttrs (file != null) {
      file = {
        path = file;
        attribute = fileAttribute;
      };
    };
}
