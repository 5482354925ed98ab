# The value that a benchmark forces: part of a host, or anything else in a flake.
#
# Called with:
# - `outputs`: the outputs of the flake, if the value is not part of a host
# - `host`: an evaluated configuration, if the value is part of it
# - `requestText`: the request as JSON text, with `system` and `forced` (`Forced` in evaluation/measurement.rs, or null
#   to measure the overhead)
#
# The caller reads each attribute of the result separately, and measures `value`.
outputs: host: requestText:
let
  inherit (builtins.fromJSON requestText) system forced;
  inherit (builtins)
    attrNames
    elemAt
    filter
    foldl'
    genList
    head
    isAttrs
    length
    removeAttrs
    tail
    typeOf
    ;

  # Returns the value at a path, or the reason why the value does not exist.
  walk =
    value: path: walked:
    if path == [ ] then
      { inherit value; }
    else if !(isAttrs value) then
      {
        problem = {
          kind = "not-a-set";
          names = walked;
          known = [ (typeOf value) ];
        };
      }
    else if !(value ? ${head path}) then
      {
        problem = {
          kind = "no-attribute";
          names = walked ++ [ (head path) ];
          known = attrNames value;
        };
      }
    else
      walk value.${head path} (tail path) (walked ++ [ (head path) ]);

  # Like the nix command, also search the packages of the system.
  prefixes = [
    [ ]
    [
      "packages"
      system
    ]
    [
      "legacyPackages"
      system
    ]
  ];
  candidates = map (prefix: walk outputs (prefix ++ forced.root) [ ]) prefixes;
  found = filter (one: one ? value) candidates;
  fromFlake = if found == [ ] then head candidates else head found;

  # An append-only record of overrides: each definition overrides all earlier ones.
  overrides = forced.overrides;
  record =
    let
      definition = index: {
        _type = "override";
        priority = 40 - index;
        content = overrides.value;
      };
      nest =
        value: path:
        foldl' (inner: index: { ${elemAt path index} = inner; }) value (
          genList (n: length path - 1 - n) (length path)
        );
    in
    {
      _file = "the overrides of a benchmark";
      config = nest {
        _type = "merge";
        contents = genList definition overrides.count;
      } overrides.path;
    };

  start =
    if forced.root != null then
      fromFlake
    else if overrides != null then
      { value = host.extendModules { modules = [ record ]; }; }
    else
      { value = host; };

  # Option paths start at the configuration, even if the value is the system that contains it.
  top =
    if !(start ? value) then
      start
    else if isAttrs start.value && start.value ? config && start.value ? options then
      { value = start.value.config; }
    else
      start;

  target = if top ? value then walk top.value forced.path [ ] else top;

  # The attributes to leave out must exist.
  missing = filter (one: one ? problem) (
    map (path: walk target.value path forced.path) forced.without
  );

  leaveOut =
    path: set:
    if length path == 1 then
      removeAttrs set path
    else
      set // { ${head path} = leaveOut (tail path) set.${head path}; };

  isDerivation = value: isAttrs value && value.type or null == "derivation";
  value = foldl' (set: path: leaveOut path set) target.value forced.without;
in
{
  # The problem with the request, or null.
  problem =
    if forced == null then
      null
    else if target ? problem then
      target.problem
    else if missing != [ ] then
      (head missing).problem
    else if forced.strict && typeOf target.value == "lambda" then
      { kind = "function"; }
    else
      null;

  # The value, forced deeply as JSON, or only to weak head normal form.
  value =
    if forced == null then
      null
    else if forced.strict then
      value
    else
      builtins.seq value null;

  # Human-readable type of the value.
  what =
    if forced == null then
      "nothing"
    else if isDerivation value then
      "derivation"
    else
      typeOf value;
}
