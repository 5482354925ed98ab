# A system that is in a file and in no flake, as the outputs of a flake would have it.
#
# Called with a request (JSON text): `path` (text, absolute), `attribute` (names that lead to the system in the file; none:
# the file is the system, or a NixOS module of one) and `host` (what the system is to be called). Only for impure evaluation.
_: _: requestText:
let
  request = builtins.fromJSON requestText;
  path = /. + request.path;
  content = import path;

  # As Nix calls what it finds in a file by itself: a function whose arguments have names, and defaults all of them.
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

  # What is there, or why there is nothing.
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

  # What `nixosSystem`, `eval-config.nix` and `lib.evalModules` return.
  isSystem =
    value: builtins.isAttrs value && value ? extendModules && value ? config && value ? options;

  # Systems that are attributes of a set, or of one in which hosts are usually kept.
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

  # `import <nixpkgs/nixos>` gives a configuration that cannot be extended.
  isClosed = value: builtins.isAttrs value && value ? config && value ? options && value ? pkgs;

  # Options, or a function that makes some: only the file itself, since it is evaluated by its name.
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
  # What is wrong with the file, or null.
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

  # A path in the store, there or not.
  storePath = "${builtins.storeDir}/00000000000000000000000000000000-none";
}
