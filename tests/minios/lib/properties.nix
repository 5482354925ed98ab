# Wrappers of definitions: conditions, several definitions in one, priorities and orderings.
#
# They are plain sets marked by `_type`, without effect until a merge interprets them.
{ ... }:
let
  inherit (builtins)
    all
    concatMap
    filter
    foldl'
    isAttrs
    isBool
    map
    mapAttrs
    sort
    ;

  kind = value: if isAttrs value then value._type or null else null;

  defaultPriority = 100;
  defaultOrder = 1000;

  checkCondition =
    condition:
    if isBool condition then condition else throw "‘mkIf’ was given a condition that is not a Boolean";
in
rec {
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };

  # A smaller number has precedence.
  mkForce = mkOverride 50;
  mkDefault = mkOverride 1000;
  mkOptionDefault = mkOverride 1500;

  # A smaller number comes earlier.
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;

  # Moves the wrappers of a module's whole `config` inwards onto each attribute, so that the names are known before the
  # conditions are evaluated. So `config = mkIf config.a.enable { … }` can read the configuration that it is part of.
  pushDownProperties =
    config:
    if kind config == "merge" then
      concatMap pushDownProperties config.contents
    else if kind config == "if" then
      map (mapAttrs (_: mkIf config.condition)) (pushDownProperties config.content)
    else if kind config == "override" then
      map (mapAttrs (_: mkOverride config.priority)) (pushDownProperties config.content)
    else
      [ config ];

  # Expands `mkMerge` in a definition, and drops parts under a false `mkIf`. Returns the list of remaining definitions.
  dischargeProperties =
    value:
    if kind value == "merge" then
      concatMap dischargeProperties value.contents
    else if kind value == "if" then
      if checkCondition value.condition then dischargeProperties value.content else [ ]
    else
      [ value ];

  # Keeps the definitions with the strongest priority, without their wrappers.
  filterOverrides' =
    defs:
    let
      priorityOf = def: if kind def.value == "override" then def.value.priority else defaultPriority;
      highestPrio = foldl' (
        strongest: def: if priorityOf def < strongest then priorityOf def else strongest
      ) 9999 defs;
      strip = def: if kind def.value == "override" then def // { value = def.value.content; } else def;
    in
    {
      inherit highestPrio;
      values = map strip (filter (def: priorityOf def == highestPrio) defs);
    };
  filterOverrides = defs: (filterOverrides' defs).values;

  # Sorts definitions by the number in `mkOrder`. Definitions with equal numbers keep their sequence.
  sortProperties =
    defs:
    let
      orderOf = def: if kind def.value == "order" then def.value.priority else defaultOrder;
      strip =
        def:
        if kind def.value == "order" then
          {
            order = orderOf def;
            def = def // {
              value = def.value.content;
            };
          }
        else
          {
            order = defaultOrder;
            inherit def;
          };
    in
    if all (def: kind def.value != "order") defs then
      defs
    else
      map (ordered: ordered.def) (sort (a: b: a.order < b.order) (map strip defs));
}
