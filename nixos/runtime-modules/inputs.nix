# Finds the inputs of a flake from its `self`: their sources and the graph of their connections.
{ lib }:
let
  inherit (lib) hasPrefix removePrefix splitString;

  # Depth of the comparison of an input with the one that it follows.
  shallow = 2;
  # Compare all levels of inputs if the graph has at most `deep` levels and `many` inputs. An input counts once for each
  # path that leads to it. If the graph is larger or has cycles, compare only the first levels: as many as have at most
  # `few` inputs in total, but at least `shallow`.
  deep = 16;
  many = 3000;
  few = 300;
in
rec {
  # A value as a string without context, for comparisons and messages.
  plain = value: builtins.unsafeDiscardStringContext (toString value);

  # The store path at the beginning of a path, with its string context.
  storePathOf =
    path:
    let
      text = "${path}";
      prefix = "${builtins.storeDir}/";
      name = builtins.head (splitString "/" (removePrefix prefix (plain text)));
    in
    if hasPrefix prefix (plain text) then
      builtins.substring 0 (lib.stringLength prefix + lib.stringLength name) text
    else
      text;

  # The store path of the tree that contains a flake or another input, with its string context. The tree of a relative
  # input is that of its parent.
  sourceOf = flake: storePathOf (flake.sourceInfo.outPath or flake.outPath);

  # The folder of a flake inside its tree, or an empty string for the tree itself.
  dirOf =
    flake:
    let
      below = removePrefix (plain (sourceOf flake)) (plain flake.outPath);
      parts = builtins.filter (part: part != "" && part != ".") (splitString "/" below);
    in
    lib.concatStringsSep "/" parts;

  # The inputs of a flake that have a source tree.
  inputsOf =
    flake:
    let
      inputs = flake.inputs or { };
      hasTree = name: builtins.isAttrs inputs.${name} && inputs.${name} ? outPath;
    in
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = inputs.${name};
      }) (builtins.filter hasTree (builtins.attrNames inputs))
    );

  # All direct and indirect inputs, except for those that equal another one down to a small depth. Through `follows`, an
  # input may lead back to an earlier input or to the flake itself.
  allInputs =
    flake:
    let
      item = position: {
        key = summary shallow position;
        inherit position;
      };
      itemsOf = position: map item (builtins.attrValues position.children);
    in
    map (item: item.position.node) (
      builtins.genericClosure {
        startSet = itemsOf (position { } flake);
        operator = item: itemsOf item.position;
      }
    );

  # The sources of all direct and indirect inputs, sorted and without duplicates, without the flake's own source.
  sources =
    flake:
    let
      own = plain (sourceOf flake);
      # Attribute names are unique and sorted.
      byPath = builtins.listToAttrs (
        map (node: {
          name = plain (sourceOf node);
          value = sourceOf node;
        }) (allInputs flake)
      );
    in
    builtins.attrValues (removeAttrs byPath [ own ]);

  # --- the graph ---

  # Older releases of Nix do not set `_type`. An input that is not a flake has only a source.
  isFlake = node: node._type or null == "flake" || (node ? inputs && node ? outputs);

  # The attributes that distinguish an input, except for its own inputs. Nix provides no hash for an input that it
  # fetched by a relative path, so its attributes come from another input in the same tree.
  factsOf =
    trees: node:
    let
      tree = plain (sourceOf node);
      origin = if node ? narHash then node else trees.${tree} or node;
    in
    {
      inherit tree;
      path = plain node.outPath;
      flake = isFlake node;
      hash = origin.narHash or null;
      rev = origin.rev or null;
      revCount = origin.revCount or null;
      lastModified = origin.lastModified or null;
    };

  # For each tree, an input in it (or the flake) for which Nix provides a hash.
  treesOf =
    flake:
    builtins.listToAttrs (
      map (node: {
        name = plain (sourceOf node);
        value = node;
      }) (builtins.filter (node: node ? narHash) ([ flake ] ++ allInputs flake))
    );

  # A node of the input graph. Element N of `summaries` covers the node and its inputs down to depth N. Lazy evaluation
  # computes each summary once, and only if it is needed.
  position =
    trees: node:
    let
      facts = factsOf trees node;
      children = builtins.mapAttrs (_: position trees) (inputsOf node);
      own = builtins.toJSON facts;
      below = depth: name: " ${name} ${builtins.elemAt children.${name}.summaries (depth - 1)}";
    in
    {
      inherit node facts children;
      summaries = builtins.genList (
        depth:
        if depth == 0 then
          own
        else
          builtins.hashString "sha256" (
            own + lib.concatStrings (map (below depth) (builtins.attrNames children))
          )
      ) (deep + 1);
    };

  summary = depth: position: builtins.elemAt position.summaries depth;

  # Whether flake.lock names exactly the inputs that the flake has. An input that follows another is compared with that
  # one down to a small depth. All others are compared with their lock entries.
  lockHolds =
    flake: lock:
    let
      keysOf = key: lock.nodes.${key}.inputs or { };
      at =
        node: path:
        builtins.foldl' (node: name: if node == null then null else node.inputs.${name} or null) node path;
      same = a: b: b != null && summary shallow (position { } a) == summary shallow (position { } b);

      # Whether an input without `follows` matches its lock entry.
      isLocked =
        {
          key,
          node,
          parent,
        }:
        let
          entry = lock.nodes.${key};
          locked = entry.locked or { };
          isRelative = locked.type or null == "path" && !(hasPrefix "/" (locked.path or "/"));
          below = locked.path or "";
          dir = locked.dir or "";
          path = plain node.outPath;
          top = plain (node.sourceInfo.outPath or node.outPath);
        in
        isFlake node == (entry.flake or true)
        && (
          if isRelative then
            path == plain parent.outPath + lib.optionalString (below != "") "/${below}"
          else
            (
              if locked ? narHash then
                node.narHash or null == locked.narHash
              else
                node.rev or null == locked.rev or false
            )
            && path == top + lib.optionalString (dir != "" && isFlake node) "/${dir}"
        );

      # Whether an input has exactly the inputs that the lock names.
      isNamed =
        { key, node, ... }:
        builtins.attrNames (node.inputs or { }) == builtins.attrNames (keysOf key)
        && builtins.attrNames (inputsOf node) == builtins.attrNames (keysOf key);

      followsHold =
        { key, node, ... }:
        builtins.all (
          name:
          let
            target = (keysOf key).${name};
          in
          !(builtins.isList target) || same node.inputs.${name} (at flake target)
        ) (builtins.attrNames (keysOf key));

      visited = builtins.genericClosure {
        startSet = [
          {
            key = lock.root;
            node = flake;
            parent = null;
          }
        ];
        operator =
          item@{ key, node, ... }:
          if !(isNamed item) then
            [ ]
          else
            map
              (name: {
                key = (keysOf key).${name};
                node = node.inputs.${name};
                parent = node;
              })
              (builtins.filter (name: !(builtins.isList (keysOf key).${name})) (builtins.attrNames (keysOf key)));
      };
    in
    if lock == null then
      inputsOf flake == { }
    else
      builtins.all (
        item: isNamed item && (item.parent == null || isLocked item) && followsHold item
      ) visited;

  # A table of the flake, which comes first, and all its inputs, each with its attributes and the indexes of its inputs.
  # Null if flake.lock has the same information, because the table is then not needed.
  graph = flake: lock: if lockHolds flake lock then null else tableOf flake;

  tableOf =
    flake:
    let
      root = position (treesOf flake) flake;

      # The number of levels that must be compared to distinguish the inputs.
      levels =
        depth: enough: level: count:
        let
          next = lib.concatMap (position: builtins.attrValues position.children) level;
          total = count + builtins.length next;
        in
        if next == [ ] then
          depth
        else if depth >= deep || total > many then
          enough
        else
          levels (depth + 1) (if total > few && depth >= shallow then enough else depth + 1) next total;
      depth = levels 0 0 [ root ] 1;

      item = position: {
        key = summary depth position;
        inherit position;
      };
      items = builtins.genericClosure {
        startSet = [ (item root) ];
        operator = { position, ... }: map item (builtins.attrValues position.children);
      };
      numbers = builtins.listToAttrs (
        builtins.genList (index: {
          name = (builtins.elemAt items index).key;
          value = index;
        }) (builtins.length items)
      );

      own = plain flake.outPath;
      # A path relative to the flake, which stays valid if the flake is found at another path.
      relative =
        path: if path == own || hasPrefix "${own}/" path then "." + removePrefix own path else path;

      row =
        { position, ... }:
        let
          inherit (position) facts;
        in
        lib.filterAttrs (_: value: value != null) {
          path = relative facts.path;
          inherit (facts) flake;
          narHash = facts.hash;
          inherit (facts) rev revCount lastModified;
          inputs = builtins.mapAttrs (_: child: numbers.${summary depth child}) position.children;
        };
    in
    map row items;
}
