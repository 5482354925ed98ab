# Pure functions of services.runtimeModules: names, paths, and facts about a flake from its `self`.
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

  inputs = import ./inputs.nix { inherit lib; };
  inherit (inputs) plain sourceOf dirOf;

  longest = 64;
  usualName = "[A-Za-z0-9_+][A-Za-z0-9._+-]{0,${toString (longest - 1)}}";

  # Whether reading a path needs no build: a string can be the output of a derivation.
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
    "Names consist of at most ${toString longest} letters, digits, `.`, `_`, `-` and `+`, "
    + "and do not start with `-` or `.`.";

  # The problem with a name, or null.
  nameProblem =
    name:
    let
      strange = builtins.match "[A-Za-z0-9._+-]*([^A-Za-z0-9._+-]).*" name;
      character = lib.head strange;
    in
    # The fast path for nearly all names.
    if builtins.match usualName name != null then
      null
    else if name == "" then
      "it is empty"
    else if builtins.match ".*[[:space:]].*" name != null then
      "it contains white space"
    else if builtins.match ".*/.*" name != null then
      "it contains a slash"
    else if builtins.match ".*[[:cntrl:]].*" name != null then
      "it contains a control character"
    else if strange != null then
      "it contains ${
        if builtins.match "[[:print:]]" character != null then
          "`${character}`"
        else
          "a character that is not allowed"
      }"
    else if lib.stringLength name > longest then
      "it has ${toString (lib.stringLength name)} characters"
    else
      "it starts with `${builtins.substring 0 1 name}`";

  # --- values in messages ---

  # Enough of a value to recognise it, without evaluating its parts.
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

  # Whether a value is a path, or a string with an absolute path.
  isModulePath = value: builtins.isPath value || (builtins.isString value && hasPrefix "/" value);

  # The file of a module that is a single path, as a string without context; otherwise null. Only the type of the module
  # is evaluated.
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
      # A folder stands for its default.nix. A name that ends in .nix is assumed to be a file, without checking.
      isFolder =
        !hasSuffix ".nix" (plain path) && isCheap path && builtins.pathExists (path + "/default.nix");
    in
    if path == null then null else plain path + lib.optionalString isFolder "/default.nix";

  # The path of a file relative to the root of the source, or null if the source does not contain the file.
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

  # Whether a reference has the same meaning in every directory: a URL, an absolute path, or an entry of the flake
  # registry.
  isReference =
    reference:
    !(hasPrefix "." reference || hasPrefix "?" reference || hasPrefix "#" reference || reference == "")
    && homeOf reference == null
    && builtins.match "path:[^/].*" reference == null
    && builtins.match "git\\+file:[^/].*" reference == null;

  # For a reference with a `~`, which only a shell can expand: the same reference with an absolute path. Otherwise null.
  homeOf =
    reference:
    let
      parts = builtins.match "((path|git\\+file):(//)?)?~([^/?#]*)(.*)" reference;
      user = builtins.elemAt parts 3;
      scheme = builtins.elemAt parts 0;
    in
    if parts == null then
      null
    else
      lib.optionalString (scheme != null) scheme
      + "/home/${if user == "" then "USER" else user}"
      + builtins.elemAt parts 4;

  # The names that `runtime-module --host` accepts for the hosts of a flake: `box`, or `x86_64-linux.box` if the hosts
  # are grouped by system.
  hostNames =
    set:
    let
      isHost = value: builtins.isAttrs value && (value ? extendModules || value ? config);
      isSystem =
        name: builtins.match "[a-z0-9_]+-(linux|darwin|freebsd|netbsd|openbsd|none)" name != null;
      quoted = name: if lib.hasInfix "." name then "\"${name}\"" else name;
    in
    concatMap (
      name:
      if isSystem name && builtins.isAttrs set.${name} && !isHost set.${name} then
        map (inner: "${name}.${quoted inner}") (lib.attrNames set.${name})
      else
        [ name ]
    ) (lib.attrNames set);

  # Whether a flake has this host, and the hosts to choose from. The outputs for packages are evaluated only if
  # nixosConfigurations has hosts, but not this one, because that may cost an evaluation of nixpkgs. If they throw, they
  # count as having no hosts.
  hostsOf =
    flake: system: host:
    let
      top = flake.nixosConfigurations or { };
      tried = builtins.tryEval (
        (flake.packages.${system}.nixosConfigurations or { })
        // (flake.legacyPackages.${system}.nixosConfigurations or { })
      );
      elsewhere = lib.optionalAttrs tried.success tried.value;
      has =
        host: set:
        set ? ${host} || lib.elem host (hostNames set) || lib.hasAttrByPath (splitString "." host) set;
      ofSystem = "${system}.${host}";
      names = hostNames top ++ lib.subtractLists (hostNames top) (hostNames elsewhere);
    in
    {
      found = top == { } || has host top || has ofSystem top || has host elsewhere;
      # The name for `--host`. It includes the system if the hosts are grouped by system.
      name = if !has host top && has ofSystem top then ofSystem else host;
      inherit names;
    };

  # Escapes each component of a path, so that the slashes stay.
  escapePath = path: concatMapStringsSep "/" escapeURL (splitString "/" path);

  # The reference to a source in the store, with all attributes that lock it.
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
        # Slashes stay unescaped as in libnix, so that the same tree has the same reference.
        ++ optional (narHash != null) "narHash=${escapePath narHash}"
        ++ optional (rev != null) "rev=${rev}"
        ++ optional (revCount != null) "revCount=${toString revCount}";
    in
    "path:${escapePath (plain source)}"
    + lib.optionalString (parameters != [ ]) "?${lib.concatStringsSep "&" parameters}";

  # Everything that config.json contains about a flake.
  flakeFacts =
    flake:
    let
      info = flake.sourceInfo or flake;
      source = sourceOf flake;
      lockFile = flake.outPath + "/flake.lock";
      facts = {
        inherit source;
        dir = dirOf flake;
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
        inputs = inputs.sources flake;
        inputGraph = inputs.graph flake facts.lock;
      };
    in
    facts // { url = storeUrl facts; };

  # The modules in the flake's output `runtimeModules`, in the form of the registry. An output is a module, or a set
  # with a module as its attribute `module`.
  outputEntries =
    flake:
    let
      outputs = flake.runtimeModules or { };
      dir = dirOf flake;
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

  # The document that the program reads, schema 1: see `config.schema.json`.
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
      onMismatch,
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
        onMismatch
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
