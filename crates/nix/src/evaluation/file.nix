# Makes flake outputs from a system that is defined in a file.
#
# Called with a request (JSON text):
# - `path`: the absolute path of the file
# - `attribute`: the attribute path of the system in the file. If it is empty, the file itself is the
#   system or a NixOS module.
# - `host`: the name for the system
#
# Pure evaluation cannot read the file, so this function needs impure evaluation.
_: _: requestText:
let
  request = builtins.fromJSON requestText;
  path = /. + request.path;
  content = import path;

  # Whether a function takes an attribute set whose attributes all have defaults. Nix calls such functions in files.
  callable =
    function:
    builtins.length (builtins.split "<attrspat" (builtins.toXML function)) > 1
    && required function == [ ];
  required =
    function:
    let
      arguments = builtins.functionArgs function;
    in
    builtins.filter (name: !arguments.${name}) (builtins.attrNames arguments);
  called = value: if builtins.isFunction value && callable value then value { } else value;

  # Returns the value at a path, or the reason why the value does not exist.
  walk =
    value: names: passed:
    let
      here = called value;
      name = builtins.head names;
    in
    if names == [ ] then
      { value = here; }
    else if !(builtins.isAttrs here) then
      {
        problem = {
          kind = "not-a-set";
          names = passed;
          known = [ (kindOf here) ];
        };
      }
    else if !(here ? ${name}) then
      {
        problem = {
          kind = "no-attribute";
          names = passed ++ [ name ];
          known = builtins.attrNames here;
        };
      }
    else
      walk here.${name} (builtins.tail names) (passed ++ [ name ]);
  found = walk content request.attribute [ ];

  # Recognises the result of `nixosSystem`, `eval-config.nix` and `lib.evalModules`.
  isSystem =
    value: builtins.isAttrs value && value ? extendModules && value ? config && value ? options;

  # Finds systems among the attributes of a set, and in the sets that usually contain hosts.
  systemsIn =
    set:
    let
      is =
        value:
        let
          tried = builtins.tryEval (isSystem (called value));
        in
        tried.success && tried.value;
      below =
        prefix: set:
        map (name: prefix + name) (builtins.filter (name: is set.${name}) (builtins.attrNames set));
      nested =
        name:
        let
          tried = builtins.tryEval (set ? ${name} && builtins.isAttrs set.${name});
        in
        if tried.success && tried.value then below "${name}." set.${name} else [ ];
    in
    if builtins.isAttrs set then
      below "" set ++ nested "nixosConfigurations" ++ nested "nodes" ++ nested "hosts"
    else
      [ ];

  # `import <nixpkgs/nixos>` returns a configuration that cannot be extended.
  isClosed = value: builtins.isAttrs value && value ? config && value ? options && value ? pkgs;

  # Whether the file is a NixOS module: an attribute set, or a function that returns one. An
  # attribute of the file cannot be a module, because modules are imported by the path of their file.
  isModule =
    request.attribute == [ ]
    && !isSystem found.value
    && !isClosed found.value
    && builtins.elem (kindOf content) [
      "function"
      "set"
    ]
    && kindOf found.value != "derivation"
    && systemsIn found.value == [ ];

  evalConfig = builtins.tryEval (
    builtins.findFile builtins.nixPath "nixpkgs/nixos/lib/eval-config.nix"
  );

  kindOf =
    value:
    let
      type = builtins.typeOf value;
    in
    if type == "lambda" then
      "function"
    else if type == "set" && value.type or null == "derivation" then
      "derivation"
    else
      type;
in
{
  # The problem with the file, or null.
  problem =
    if found ? problem then
      found.problem
    else if isSystem found.value then
      null
    else if isModule then
      if evalConfig.success then
        null
      else
        {
          kind = "no-nixpkgs";
          known = map (
            entry: if entry.prefix == "" then entry.path else "${entry.prefix}=${entry.path}"
          ) builtins.nixPath;
        }
    else if builtins.isFunction found.value then
      {
        kind = "wants-arguments";
        known = required found.value;
      }
    else
      {
        kind = if isClosed found.value then "cannot-be-extended" else "no-system";
        names = [ (kindOf found.value) ];
        known = systemsIn found.value;
      };

  outputs.nixosConfigurations.${request.host} =
    if isModule then
      import evalConfig.value {
        system = builtins.currentSystem;
        modules = [ path ];
      }
    else
      found.value;
}
