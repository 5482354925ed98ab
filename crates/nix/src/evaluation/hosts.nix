# Finds hosts in a flake's outputs, as `nix build FLAKE#nixosConfigurations.NAME` finds them: in packages.SYSTEM, in
# legacyPackages.SYSTEM, and then at the top. system.nix takes this function as its argument `hostsIn`.
#
# Called with:
# - `outputs`: the outputs of the flake
# - `system`: the system, such as x86_64-linux
# - `name`: the host as the user typed it
# - `path`: the same text, split into the names of an attribute path
{
  outputs,
  system,
  name,
  path,
}:
let
  # Returns a list with the value at a path, or an empty list if there is no such value.
  at =
    value: path:
    if path == [ ] then
      [ value ]
    else if builtins.isAttrs value && value ? ${builtins.head path} then
      at value.${builtins.head path} (builtins.tail path)
    else
      [ ];

  # Returns an empty list instead of a value that throws, such as a broken set of packages.
  tried =
    value:
    let
      result = builtins.tryEval value;
    in
    if result.success then result.value else [ ];

  sets = builtins.filter builtins.isAttrs (
    tried (
      at outputs [
        "packages"
        system
        "nixosConfigurations"
      ]
    )
    ++ tried (
      at outputs [
        "legacyPackages"
        system
        "nixosConfigurations"
      ]
    )
    ++ at outputs [ "nixosConfigurations" ]
  );

  # A host's name can contain dots, so try the whole name first. A path can also start at the flake's outputs.
  isOutput = builtins.elem (builtins.head (path ++ [ "" ])) [
    "nixosConfigurations"
    "packages"
    "legacyPackages"
  ];
  candidates =
    builtins.concatMap (set: at set [ name ]) sets
    ++ (if path == [ ] then [ ] else builtins.concatMap (set: at set path) sets)
    ++ (if isOutput then at outputs path else [ ]);

  isHost = value: builtins.isAttrs value && (value ? extendModules || value ? config);
  is = test: value: tried [ (test value) ] == [ true ];

  # Matches systems such as `x86_64-linux`. Many flakes have a set of hosts for each system.
  isSystem =
    text: builtins.match "[a-z0-9_]+-(linux|darwin|freebsd|netbsd|openbsd|none)" text != null;
  quoted = text: if builtins.match ".*\\..*" text == null then text else "\"${text}\"";

  # Returns the names of the hosts in a set, as --host takes them.
  namesIn =
    set:
    builtins.concatMap (
      name:
      if isSystem name && is (value: builtins.isAttrs value && !(isHost value)) set.${name} then
        map (inner: "${name}.${quoted inner}") (builtins.attrNames set.${name})
      else
        [ name ]
    ) (builtins.attrNames set);
in
{
  # Whether any output can contain hosts.
  any = sets != [ ];
  # A list with the first matching host, or an empty list.
  found = if candidates == [ ] then [ ] else [ (builtins.head candidates) ];
  # The names of all hosts, sorted.
  names = builtins.attrNames (
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = null;
      }) (builtins.concatMap namesIn sets)
    )
  );
  # If a value is not a host but contains hosts, returns their names as --host takes them.
  namesBelow =
    value:
    if builtins.isAttrs value && !(isHost value) then
      map (inner: "${name}.${quoted inner}") (
        builtins.filter (inner: is isHost value.${inner}) (builtins.attrNames value)
      )
    else
      [ ];
}
