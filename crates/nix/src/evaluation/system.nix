# Extends one host with the chosen modules in one evaluation.
#
# Called with:
# - `hostsIn`, `foreignModule` and `optionOverrides`: the values of hosts.nix, foreign_module.nix and overrides.nix
# - `outputs`: the outputs of the flake
# - `source`: the top of the flake's source tree (a path)
# - `elsewhere`: a list of external values. It has a path or the outputs of a flake for each extra module, then a
#   function for each expression of the user.
# - `requestText`: the request as JSON text (`asked` in evaluation/expression.rs)
#
# The caller reads each attribute of the result separately. Nothing else is evaluated.
hostsIn: foreignModule: optionOverrides: outputs: source: elsewhere: requestText:
let
  request = builtins.fromJSON requestText;

  hosts = hostsIn {
    inherit outputs;
    inherit (request) system;
    name = request.host;
    path = request.hostPath;
  };
  base = builtins.head hosts.found;

  # All known modules: first those of the host, in the host's order, then those of the flake, sorted by name.
  registry =
    (
      if base.options ? services.runtimeModules.registry then
        map (entry: entry // { origin = "option"; }) base.config.services.runtimeModules.registry
      else
        foreign.registry
    )
    ++ map outputEntry (builtins.attrNames (outputs.runtimeModules or { }));

  # A host may declare its modules with another project, nixos-runtime-modules, instead of our NixOS module.
  foreign = foreignModule base;

  # An entry of the flake's output is a module, or a set with a module and a description.
  outputEntry =
    name:
    let
      value = outputs.runtimeModules.${name};
      described = builtins.isAttrs value && value ? module;
      module = if described then value.module else value;
    in
    {
      inherit name module;
      origin = "output";
      description = if described then value.description or null else null;
      file = if builtins.isPath module then toString module else null;
      declared = [ "the flake's output runtimeModules.${name}" ];
      skipValidation = false;
    };

  # Use the same path as in the flake. If the host also imports the module, the module system then includes it once.
  # Do not import the path from a set (`{ imports = [ path ]; }`): the module would come after the imports of the host's
  # own modules, and lists would be merged in another order than for a module from the host's options.
  fromFile = file: source + "/${file}";

  direct =
    module: if module.file != null then fromFile module.file else (outputEntry module.name).module;

  # If the file or output of each module is known, the host's own modules are evaluated only once, in the extended host.
  # To look modules up in the host's options, the host must also be evaluated without them.
  lookUp = builtins.any (module: module.file == null && module.origin != "output") request.modules;

  names = map (module: module.name) request.modules;
  known = map (entry: entry.name) registry;
  named = name: builtins.filter (entry: entry.name == name) registry;

  modules =
    (
      if lookUp then
        map (entry: entry.module) (builtins.filter (entry: builtins.elem entry.name names) registry)
      else
        map direct request.modules
    )
    ++ (if lookUp then foreign.mark else [ ])
    ++ map (extra: builtins.head extra.found) extras;

  # Modules that are not part of the configuration: a path, or an attribute of another flake.
  extras = builtins.genList (
    index:
    let
      entry = builtins.elemAt request.extras index;
      value = builtins.elemAt elsewhere index;
    in
    {
      inherit (entry) name;
      found = if entry.path != null then [ value ] else attributesOf value entry.attribute;
      known = builtins.concatMap (
        output: map (name: "${output}.${name}") (builtins.attrNames (value.${output} or { }))
      ) moduleOutputs;
    }
  ) (builtins.length (request.extras or [ ]));
  missing = builtins.filter (extra: extra.found == [ ]) extras;

  # Outputs of a flake that contain modules.
  moduleOutputs = [
    "nixosModules"
    "runtimeModules"
  ];

  # Finds the values for an attribute: a path in the outputs, or the name of a module. Returns a
  # list of all matches.
  attributesOf =
    outputs: attribute:
    let
      path = builtins.filter builtins.isString (builtins.split "\\." attribute);
      at =
        value: path:
        if path == [ ] then
          [ value ]
        else if builtins.isAttrs value && value ? ${builtins.head path} then
          at value.${builtins.head path} (builtins.tail path)
        else
          [ ];
      # An entry of `runtimeModules` may be a set with a module and a description.
      described = value: if builtins.isAttrs value && value ? module then value.module else value;
    in
    map described (
      at outputs path
      ++ builtins.concatMap (output: at (outputs.${output} or { }) [ attribute ]) moduleOutputs
    );

  # A specialisation usually inherits the host's modules, so add the requested modules to the host. If
  # `inheritParentConfig` is false, add them only to the specialisation.
  specialisation = request.specialisation or null;
  variants = config: config.specialisation or { };
  variant = config: (variants config).${specialisation};
  inherits = whole: (variant whole.config).inheritParentConfig or true;

  extendedWith =
    added: more:
    let
      whole = base.extendModules { modules = added ++ more; };
    in
    if specialisation == null || !(variants whole.config ? ${specialisation}) || inherits whole then
      whole
    else
      base.extendModules {
        modules = [ { specialisation.${specialisation}.configuration.imports = added; } ] ++ more;
      };

  # Option overrides come last. A merged override takes the priority that its option has without any merge.
  definitions = request.overrides or [ ];
  merges = builtins.filter optionOverrides.isMerge definitions;
  replacements = builtins.filter (definition: !(optionOverrides.isMerge definition)) definitions;
  replaced =
    modules ++ (if replacements == [ ] then [ ] else [ (optionOverrides.replacing replacements) ]);
  withoutMerges = if replaced == [ ] then base else extendedWith replaced [ ];
  all =
    replaced
    ++ (if merges == [ ] then [ ] else [ (optionOverrides.merging (optionsOf withoutMerges) merges) ]);

  extended =
    if all == [ ] then
      base
    else if request.sharePkgs or false then
      extendedWith all [ share ]
    else
      extendedWith all [ ];

  # The arguments that a module of the requested configuration gets, for expressions of the user.
  scope = (meant (extendedWith (all ++ [ scopeModule ]) [ ])).runtimeModuleScope;
  scopeModule =
    {
      config,
      lib,
      options,
      pkgs,
      ...
    }:
    {
      options.runtimeModuleScope = {
        _type = "option";
        internal = true;
        visible = false;
      };
      config.runtimeModuleScope = {
        inherit
          config
          lib
          options
          pkgs
          ;
      };
    };

  # Selects the requested configuration: that of the host or that of its specialisation.
  meant =
    whole: if specialisation == null then whole.config else (variant whole.config).configuration;
  config = meant extended;

  # The options of the requested configuration. nixpkgs does not expose the options of a specialisation with
  # inheritParentConfig = false, so the options of the host are used instead.
  optionsOf =
    whole:
    if specialisation == null then
      whole.options
    else
      (variant whole.config).configuration._module.args.options or whole.options;

  # Uses the host's own `pkgs` if the extended system would provably make the same, because both
  # define it in the same way. This is decided inside the extended system, where `pkgs` does not
  # exist yet. An option of nixpkgs that depends on `pkgs` therefore causes an infinite recursion, as
  # it does without this module. Without a proof, `pkgs` is the extended system's own.
  share =
    { options, ... }:
    let
      why = unshared options;
      others = builtins.filter (
        definition: definition ? pkgs && !(definition ? runtimeModuleShares)
      ) options._module.args.definitions;
      own = (builtins.head others).pkgs;
      content = if own._type or null == "override" then own.content else own;
    in
    {
      _module.args = {
        runtimeModuleShares = why;
        pkgs = {
          _type = "override";
          priority = 50;
          content =
            if why == null then
              base._module.args.pkgs
            else if builtins.length others != 1 || content._type or null != null && content._type != "pkgs" then
              throw "runtime-module: the packages come from more than one place"
            else
              content;
        };
      };
    };

  # The reason why packages are not shared, or null.
  unshared =
    options:
    let
      names = builtins.attrNames options.nixpkgs;
      others = builtins.filter (
        name: !(agree base.options.nixpkgs.${name} options.nixpkgs.${name} name)
      ) names;
    in
    if names != builtins.attrNames base.options.nixpkgs then
      "a module declares options of nixpkgs"
    else if others != [ ] then
      "nixpkgs.${builtins.head others} may differ"
    else if definersOfPkgs options != definersOfPkgs base.options + 1 then
      "a module sets _module.args.pkgs"
    else
      null;

  # Counts the definitions of `_module.args` that have a `pkgs`.
  definersOfPkgs =
    options:
    builtins.length (builtins.filter (definition: definition ? pkgs) options._module.args.definitions);

  # Returns whether both options provably have the same definitions. Functions are equal only if they are the same
  # value, which also means the same environment. This is true for overlays in separate files, but not for functions
  # inside a module.
  agree =
    here: there: name:
    let
      definitions =
        option: if name == "config" then option.value else option.definitions or [ option.value ];
      # Returns whether the option has only its default: 1500 is the priority of a default. Some defaults only throw, so
      # they are not compared.
      isDefault = option: option.highestPrio or 100 >= 1500;
    in
    # These options configure `nix` itself, not packages.
    if name == "flake" then
      true
    else if here._type or null != "option" || there._type or null != "option" then
      false
    else if name == "pkgs" then
      !here.isDefined && !there.isDefined
    else if name == "overlays" then
      here.value == there.value
    else if isDefault here && isDefault there then
      true
    else
      isData (definitions here) && isData (definitions there) && definitions here == definitions there;

  # Returns whether a value contains neither functions nor packages.
  isData =
    value:
    if builtins.isAttrs value then
      value.type or null != "derivation" && builtins.all isData (builtins.attrValues value)
    else if builtins.isList value then
      builtins.all isData value
    else
      !builtins.isFunction value;

  failedIn =
    config:
    map (assertion: assertion.message) (
      builtins.filter (assertion: !assertion.assertion) (config.assertions or [ ])
    );

  # Returns null instead of a value that throws.
  try =
    value:
    let
      tried = builtins.tryEval (builtins.deepSeq value value);
    in
    if tried.success then tried.value else null;
  path = value: if value == null then null else builtins.unsafeDiscardStringContext "${value}";
  derivation = toplevel: {
    drv = builtins.unsafeDiscardStringContext toplevel.drvPath;
    out = builtins.unsafeDiscardStringContext toplevel.outPath;
  };
in
{
  # The problem with the request itself, or null.
  problem =
    if !hosts.any then
      {
        kind = "no-configurations";
        known = builtins.attrNames (outputs.outputs or outputs);
      }
    else if hosts.found == [ ] then
      {
        kind = "unknown-host";
        known = hosts.names;
      }
    else if !(base ? extendModules) then
      {
        kind = "not-a-configuration";
        known = hosts.namesBelow base;
      }
    else if
      lookUp
      && !(base.options ? services.runtimeModules.registry)
      && !foreign.present
      && !(outputs ? runtimeModules)
    then
      { kind = "no-option"; }
    else if lookUp && builtins.any (name: named name == [ ]) names then
      {
        kind = "unknown-modules";
        names = builtins.filter (name: named name == [ ]) names;
        inherit known;
      }
    else if lookUp && builtins.any (name: builtins.length (named name) > 1) names then
      let
        name = builtins.head (builtins.filter (name: builtins.length (named name) > 1) names);
      in
      {
        kind = "defined-twice";
        names = [ name ];
        known = builtins.concatMap (entry: entry.declared) (named name);
      }
    else if missing != [ ] then
      {
        kind = "no-such-extra";
        names = map (extra: extra.name) missing;
        known = builtins.concatMap (extra: extra.known) missing;
      }
    else if specialisation != null && !(variants extended.config ? ${specialisation}) then
      {
        kind = "no-specialisation";
        names = [ specialisation ];
        known = builtins.attrNames (variants extended.config);
      }
    else if request.toplevel && !(config ? system.build.toplevel) then
      { kind = "no-toplevel"; }
    else
      null;

  # All known modules, for `list` and `check`.
  registry = map (entry: {
    inherit (entry)
      name
      description
      origin
      skipValidation
      ;
    file = if entry.file == null then null else builtins.unsafeDiscardStringContext entry.file;
    declared = map (where: builtins.unsafeDiscardStringContext (toString where)) entry.declared;
  }) registry;

  # The descriptions of the options of the new overrides.
  described = map (definition: optionOverrides.describe (optionsOf extended) definition.path) (
    request.describe or [ ]
  );

  # The options that can be set, for completion.
  settable = optionOverrides.settable (optionsOf extended);

  # Forces the parts of the configuration that the new overrides set, so that the module system checks their types.
  checkedOverrides = builtins.foldl' (
    done: definition:
    builtins.seq (optionOverrides.force definition.value (
      builtins.foldl' (value: name: value.${name}) config definition.path
    )) done
  ) true (request.describe or [ ]);

  # The values of the user's expressions, by their number. In the list of external values, the functions follow the
  # extra modules.
  expressionValues = builtins.listToAttrs (
    builtins.genList (index: {
      name = toString index;
      value = optionOverrides.data (builtins.elemAt elsewhere (builtins.length extras + index) scope);
    }) (request.expressions or 0)
  );

  # Whether the host declares its modules with another project, nixos-runtime-modules, instead of our NixOS module.
  foreignModules = (lookUp || !request.toplevel) && foreign.present;

  failedAssertions = failedIn config;

  # Assertions that also fail without runtime modules. Evaluated only if an assertion has failed.
  failedWithout = failedIn (meant base);

  warnings = config.warnings or [ ];

  toplevel = derivation config.system.build.toplevel;

  # The units and etc entries that `request.parts` names. A unit or entry that does not exist is null.
  parts =
    let
      parts = request.parts or { };
      named =
        names: value:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = value name;
          }) names
        );
      discard = text: if text == null then null else builtins.unsafeDiscardStringContext text;
      derivations =
        text:
        if text == null then
          [ ]
        else
          let
            context = builtins.getContext text;
          in
          builtins.filter (path: context.${path} ? outputs) (builtins.attrNames context);
      unit =
        name:
        let
          unit = config.systemd.units.${name};
          text = unit.text or null;
          folder = kind: others: map (other: "${other}.${kind}/${name}") others;
        in
        if !(config.systemd.units ? ${name}) then
          null
        else
          {
            inherit (unit) enable;
            text = discard text;
            links =
              folder "wants" (unit.wantedBy or [ ])
              ++ folder "requires" (unit.requiredBy or [ ])
              ++ folder "upholds" (unit.upheldBy or [ ])
              ++ unit.aliases or [ ];
            derivations = derivations text;
          };
      entry =
        name:
        let
          entry = config.environment.etc.${name};
          source = "${entry.source}";
        in
        if !(config.environment.etc ? ${name}) || (entry.target or name) != name then
          null
        else
          {
            inherit (entry) enable mode;
            source = discard source;
            text = discard (entry.text or null);
            derivations = derivations source;
          };
    in
    {
      overlay = config.system.etc.overlay.enable or false;
      units = named (parts.units or [ ]) unit;
      etc = named (parts.etc or [ ]) entry;
    };

  # The extended host itself, for callers that need a part other than its toplevel.
  system = extended;

  # Facts that activation needs before anything is built.
  facts = {
    hostName = try (config.networking.hostName or null);
    kernel = try (path (config.system.build.kernel or null));
    initrd = try (path (config.system.build.initialRamdisk or null));
    modulesTree = try (path (config.system.modulesTree or null));
    firmware = try (path (config.hardware.firmware or null));
    kernelParams = try (config.boot.kernelParams or null);
    kernelModules = try (config.boot.kernelModules or null);
    # In 24.05, a system has one of two switch programs. In later releases, there is only one switch program.
    switchable =
      let
        enable = try (config.system.switch.enable or null);
      in
      if enable == false then try (config.system.switch.enableNg or false) == true else enable;
    switchInhibitors = try (config.system.switch.inhibitors or null);
  };

  # Whether the host's own packages are used, and if not, why.
  sharing =
    let
      why = extended._module.args.runtimeModuleShares;
    in
    {
      shared = why == null;
      inherit why;
    };

  # Whether sharing can succeed. If overlays are new values in each extension, they are never provably equal.
  mayShare =
    base ? options.nixpkgs.overlays
    && base ? options._module.args.definitions
    && base ? _module.args.pkgs
    && (
      let
        inherit (base.options.nixpkgs.overlays) value;
      in
      value == [ ] || (base.extendModules { }).options.nixpkgs.overlays.value == value
    );

  # The names in the host next to a missing option. `request.beside` is the path of their parent.
  beside =
    let
      below =
        options: path:
        if options._type or null == "option" then
          inType options.type path
        else if path == [ ] then
          builtins.filter (name: name != "_module" && name != "_freeformOptions") (builtins.attrNames options)
        else if options ? ${builtins.head path} then
          below options.${builtins.head path} (builtins.tail path)
        else
          [ ];
      # Skip the elements of sets and lists. Each of them is one name in the path.
      inType =
        type: path:
        let
          holds = builtins.elem type.name [
            "attrsOf"
            "lazyAttrsOf"
            "listOf"
          ];
        in
        if type.name == "submodule" then
          below (type.getSubOptions [ ]) path
        else if !(type ? nestedTypes.elemType) || holds && path == [ ] then
          [ ]
        else
          inType type.nestedTypes.elemType (if holds then builtins.tail path else path);
    in
    below base.options (request.beside or [ ]);

  # The names of all hosts.
  hosts = hosts.names;

  # The toplevel of the host itself. Read only if the request asks for it.
  base = derivation (meant base).system.build.toplevel;
}
