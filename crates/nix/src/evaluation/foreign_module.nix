# The modules of a host that uses nixos-runtime-modules' own NixOS module. system.nix takes this function as its
# argument `foreignModule`.
#
# The argument is the host. The NixOS module's option `_allModules` lists the modules in the form in which
# nixos-runtime-modules enables them. Older releases of nixos-runtime-modules lack this option; there, the option
# `modules` is this list.
host:
let
  options = host.options.services.runtimeModules or { };
  config = host.config.services.runtimeModules;
  isDefined = name: options ? ${name} && options.${name}.isDefined or true;
  all =
    if isDefined "_allModules" then
      config._allModules
    else if isDefined "modules" then
      config.modules
    else
      [ ];

  entry =
    one:
    let
      path = one.path or null;
      declared = one.imports or [ ];
      # `path` is the older form of `imports`. nixos-runtime-modules itself may already have added it to `imports`.
      imports = declared ++ (if path == null || builtins.elem path declared then [ ] else [ path ]);
      only = builtins.head imports;
      module =
        if builtins.length imports == 1 && (builtins.isPath only || builtins.isString only) then
          only
        else
          { inherit imports; };
      description = one.desc or one.description or "";
    in
    {
      inherit (one) name;
      inherit module;
      origin = "option";
      description = if description == "" then null else description;
      file = if builtins.isAttrs module then null else toString module;
      declared = options.modules.files or [ ];
      skipValidation = false;
    };
in
rec {
  present = !(options ? registry) && options ? modules;
  registry = if present && builtins.isList all then map entry all else [ ];
  # The activation script of nixos-runtime-modules treats a system without this file as a system without runtime
  # modules, and deletes the state.
  mark = if present then [ { environment.etc."runtime-modules-enabled".text = "true"; } ] else [ ];
}
