# Turns option overrides into modules, and describes the options that they set.
#
# A definition (`Definition` in overrides/definition.rs) has a path, a value and a mode. Unless it is merged, it also
# has a priority.
let
  inherit (builtins)
    attrNames
    elem
    elemAt
    filter
    foldl'
    genList
    head
    isAttrs
    length
    tail
    ;

  isString = builtins.isString;
  isList = builtins.isList;

  isOption = value: value._type or null == "option";

  # Makes { a.b.c = value; } for the path a.b.c.
  setAt =
    path: value:
    let
      last = length path - 1;
    in
    foldl' (inner: index: { ${elemAt path index} = inner; }) value (
      genList (index: last - index) (length path)
    );

  # Follows a path to the option that contains it. `rest` is the part of the path inside the option's value.
  find =
    options: path: done:
    if isOption options then
      {
        kind = "option";
        option = options;
        at = done;
        rest = path;
      }
    else if path == [ ] then
      {
        kind = "namespace";
        known = names options;
      }
    else if options ? ${head path} then
      find options.${head path} (tail path) (done ++ [ (head path) ])
    else
      {
        kind = "unknown";
        at = done;
        known = names options;
      };

  names = options: filter (name: name != "_module" && name != "_freeformOptions") (attrNames options);

  # The definitions that win at a path inside the value of an option, as the module system selects them at each level.
  winners =
    definitions: path:
    let
      all = builtins.concatMap discharge definitions;
      least =
        foldl' (least: one: if one.priority < least then one.priority else least) (head all).priority
          all;
      winning = filter (one: one.priority == least) all;
      below = builtins.concatMap (
        one:
        if isAttrs one.value && one.value ? ${head path} then
          [
            {
              inherit (one) file;
              value = one.value.${head path};
            }
          ]
        else
          [ ]
      ) winning;
    in
    if all == [ ] then
      null
    else if path == [ ] then
      {
        priority = least;
        files = map (one: one.file) winning;
      }
    else
      winners below (tail path);

  # Resolves the properties of a definition, such as mkIf and mkForce.
  discharge =
    definition:
    let
      type = definition.value._type or null;
      content = discharge (definition // { value = definition.value.content; });
    in
    if type == "merge" then
      builtins.concatMap (value: discharge (definition // { inherit value; })) definition.value.contents
    else if type == "if" then
      (if definition.value.condition then content else [ ])
    else if type == "override" then
      map (one: one // { inherit (definition.value) priority; }) content
    else if type == "order" then
      content
    else
      [ (definition // { priority = 100; }) ];

  # Checks whether a value of this type can have a definition at the path. If so, returns the kind "option", with the
  # innermost option if there is one. Otherwise returns the reason, as `find` does.
  inType =
    type: path:
    let
      inside = type.nestedTypes or { };
      firstOf = results: head (filter (result: result.kind == "option") results ++ results);
    in
    if path == [ ] then
      { kind = "option"; }
    else if
      elem type.name [
        "attrsOf"
        "lazyAttrsOf"
      ]
    then
      inType inside.elemType (tail path)
    else if type.name == "listOf" then
      { kind = "list"; }
    else if type.name == "submodule" then
      let
        found = find (type.getSubOptions [ ]) path [ ];
      in
      if found.kind == "option" then
        # The type of this inner option decides about the rest of the path.
        { inherit (found) option; } // inType found.option.type found.rest
      else if found.kind == "unknown" && inside ? freeformType then
        inType inside.freeformType path
      else
        found
    else if type.name == "anything" then
      { kind = "option"; }
    else if inside ? left then
      firstOf [
        (inType inside.left path)
        (inType inside.right path)
      ]
    else if inside ? finalType then
      inType inside.finalType path
    else if inside ? elemType then
      inType inside.elemType path
    else
      { kind = "opaque"; };

  # All options that an override can set, without parts of their values. `enabled` is the value of the option `enable`
  # of the set that contains the option, or of the nearest set above that has one.
  settableOptions =
    let
      below =
        enabled: options: path:
        builtins.concatMap (
          name:
          let
            value = options.${name};
            here = path ++ [ name ];
          in
          if !isAttrs value then
            [ ]
          else if !isOption value then
            below (enabledIn value enabled) value here
          else if isHidden value then
            [ ]
          else
            [
              {
                inherit enabled;
                path = here;
                option = value;
              }
            ]
        ) (names options);
    in
    options: below null options [ ];

  isHidden =
    option: option.readOnly or false || option.internal or false || option.visible or true == false;

  # A hidden `enable` is usually the old name of another option.
  enabledIn =
    options: above:
    let
      enable = options.enable or null;
    in
    if isAttrs enable && isOption enable && !isHidden enable then
      enable.value or false == true
    else
      above;

  # Without any `enable`, an option is used if it has a definition.
  isUsed = one: if one.enabled == null then one.option.definitions or [ ] != [ ] else one.enabled;

  # The submodule of a type, and whether values are sets of such submodules. Returns null for all other types.
  submoduleOf =
    type:
    let
      inside = type.nestedTypes or { };
      element = submoduleOf inside.elemType;
      modules = type.getSubModules or null;
    in
    if !isAttrs type then
      null
    else if type.name == "submodule" then
      # A submodule with this many modules is a NixOS system, such as that of `virtualisation.vmVariant`.
      (
        if isList modules && length modules > 100 then
          null
        else
          {
            inherit type;
            named = false;
          }
      )
    else if type.name == "nullOr" then
      element
    else if type.name == "attrsOf" || type.name == "lazyAttrsOf" then
      (if element == null || element.named then null else element // { named = true; })
    else
      null;

  # A list with one entry that describes the options in the submodules of a used option. The list is empty if the option
  # is not used, has no submodules, or cannot be evaluated.
  insideOf =
    one:
    let
      submodule = submoduleOf one.option.type or null;
      inside = {
        option = one.path;
        names =
          if !submodule.named then
            null
          else if isAttrs one.option.value then
            attrNames one.option.value
          else
            [ ];
        options = map (inner: inner.path) (settableOptions (submodule.type.getSubOptions [ ]));
      };
      # A definition may throw if the toplevel does not need it.
      tried = builtins.tryEval (builtins.deepSeq inside inside);
    in
    if submodule == null || !isUsed one || !tried.success || tried.value.names == [ ] then
      [ ]
    else
      [ tried.value ];

  override = priority: content: {
    _type = "override";
    inherit priority content;
  };

  # The priority of the definitions of the option at a path; 100, the normal priority, if the path is not an option.
  present =
    options: path:
    let
      found = find options path [ ];
    in
    if found.kind == "option" && found.rest == [ ] then found.option.highestPrio or 100 else 100;

  # The value of a definition. Its strings depend on the same store paths as in the expression that made them.
  valueOf = definition: attach (definition.storePaths or [ ]) definition.value;

  attach =
    paths: value:
    if paths == [ ] then
      value
    else if isString value then
      foldl' (
        text: path:
        if builtins.replaceStrings [ path.path ] [ "" ] text == text then
          text
        else
          builtins.appendContext text (contextOf path)
      ) value paths
    else if isList value then
      map (attach paths) value
    else if isAttrs value then
      builtins.mapAttrs (_: attach paths) value
    else
      value;

  contextOf =
    path:
    if path.madeBy or null == null then
      { ${path.path}.path = true; }
    else
      { ${path.madeBy.drv}.outputs = [ path.madeBy.output ]; };

  # The first part of a value that is not data: its place, and its kind. Returns null if the whole value is data.
  notData =
    depth: value:
    let
      is = what: {
        inherit what;
        at = [ ];
      };
      below = part: found: if found == null then null else found // { at = [ part ] ++ found.at; };
      # The parts are lazy. Those after the first part that is not data are not evaluated.
      firstOf = foldl' (found: next: if found == null then next else found) null;
    in
    if builtins.isFunction value then
      is "function"
    else if builtins.isPath value then
      is "path"
    else if builtins.isFloat value then
      (if value - value == 0.0 then null else is "number")
    else if (isList value || isAttrs value) && depth == 0 then
      is "depth"
    else if isList value then
      firstOf (genList (index: below index (notData (depth - 1) (elemAt value index))) (length value))
    else if !isAttrs value || isPackage value then
      null
    else if value ? _type then
      is "_type"
    else if value ? _module then
      is "_module"
    else if value ? __functor || value ? __toString then
      is "function"
    else
      firstOf (map (name: below name (notData (depth - 1) value.${name})) (attrNames value));

  # Returns whether a set represents its store path: a package, or the source of a flake.
  isPackage = value: value ? outPath;

  # The value with each package replaced by a string.
  plain =
    value:
    if isList value then
      map plain value
    else if isAttrs value then
      (if isPackage value then "${value}" else builtins.mapAttrs (_: plain) value)
    else
      value;

  # All strings in a value that depend on store paths.
  dependent =
    value:
    if isString value then
      (
        if builtins.hasContext value then
          [
            {
              text = value;
              context = builtins.getContext value;
            }
          ]
        else
          [ ]
      )
    else if isList value then
      builtins.concatMap dependent value
    else if isAttrs value then
      builtins.concatMap dependent (builtins.attrValues value)
    else
      [ ];

  # Use one module for all definitions: in separate modules, the definitions of a list would merge in reverse order.
  module = priorityOf: definitions: {
    _file = "the option overrides";
    config = {
      _type = "merge";
      contents = map (
        definition: setAt definition.path (override (priorityOf definition) (valueOf definition))
      ) definitions;
    };
  };
in
rec {
  isMerge = definition: definition.mode == "merge";

  replacing = module (definition: definition.priority);

  # `options` are evaluated without any merge, so that a merge does not depend on itself.
  merging = options: module (definition: present options definition.path);

  # The options that an override can set. `paths` are those of all options, without parts of their values. `submodules`
  # are the options in the submodules of each used option, with the names of the submodules in the option's value, or
  # null if the value itself is a submodule. Unused options are skipped, because reading all submodules of NixOS takes
  # longer than an evaluation.
  settable =
    options:
    let
      all = settableOptions options;
    in
    {
      paths = map (one: one.path) all;
      submodules = builtins.concatMap insideOf all;
    };

  # Converts the value of an expression to data, or returns the first part of it that is not data.
  data =
    value:
    let
      refused = notData 100 value;
      converted = plain value;
    in
    if refused == null then
      {
        value = converted;
        strings = dependent converted;
      }
    else
      { inherit refused; };

  # Forces the attributes of a value that the given JSON value also has, and all elements of a list.
  force =
    given: value:
    let
      both = filter (name: value ? ${name}) (attrNames given);
    in
    if isAttrs given && isAttrs value then
      foldl' (done: name: builtins.seq (force given.${name} value.${name}) done) true both
    else if builtins.isList value then
      foldl' (done: element: builtins.seq element done) true value
    else
      builtins.seq value true;

  # Describes the option of a path. `options` includes all definitions.
  describe =
    options: path:
    let
      found = find options path [ ];
      inValue = inType found.option.type found.rest;
      inner = inValue.option or { };
      optional = value: if builtins.isString value then value else null;
      inside = winners (found.option.definitionsWithLocations or [ ]) found.rest;
    in
    if found.kind != "option" then
      {
        inherit (found) kind known;
        at = found.at or path;
      }
    else
      {
        inherit (inValue) kind;
        known = inValue.known or [ ];
        inherit (found) at;
        type = optional (found.option.type.description or null);
        readOnly = found.option.readOnly or false || inner.readOnly or false;
        internal = found.option.internal or false || inner.internal or false;
        visible = found.option.visible or true != false && inner.visible or true != false;
        priority = if found.rest == [ ] then found.option.highestPrio or null else inside.priority or null;
        files = map toString (if found.rest == [ ] then found.option.files or [ ] else inside.files or [ ]);
      };
}
