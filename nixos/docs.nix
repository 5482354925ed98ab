# docs/modules.md, made of the options of services.runtimeModules and of the built-in modules. `lib` may be nixpkgs' or
# that of tests/minios: both give the same text, so that a machine without nixpkgs can check it.
{ lib }:
let
  # As much of a system as the declarations look at.
  evaluated = lib.evalModules {
    modules = [
      ./runtime-modules
      (
        { lib, ... }:
        {
          options =
            lib.genAttrs
              [
                "assertions"
                "environment"
                "system"
                "systemd"
                "warnings"
              ]
              (
                _:
                lib.mkOption {
                  type = lib.types.raw;
                  default = { };
                }
              )
            // {
              networking.hostName = lib.mkOption { type = lib.types.str; };
            };
        }
      )
    ];
  };
  options = evaluated.options.services.runtimeModules;

  # The types in words of our own: those of the libraries differ from release to release.
  typeOf =
    name: option:
    {
      bool = "true or false";
      str = "string";
      raw = "any value";
      path = "path";
      package = "package";
      enum = "one of its values";
    }
    .${option.type.name} or {
      enable = "true or false";
      modules = "set of modules, or list of them";
      flake = "a flake, or null";
      flakeUrl = "string, or null";
      file = "absolute path as a string, or null";
      fileAttribute = "list of names";
      package = "package, or null";
      confirm = "string such as `60s`, or null";
      settle = "string such as `3s`, or `0`";
      imports = "list of modules";
      prefetch = "list of names";
      description = "string, or null";
    }
    .${name};

  show =
    value:
    if builtins.isAttrs value && value._type or null == "literalExpression" then
      lib.removeSuffix "\n" value.text
    else if value == { } then
      "{ }"
    else
      builtins.toJSON value;
  field =
    title: text:
    if lib.hasInfix "\n" text then
      "\n${title}:\n\n```nix\n${text}\n```\n"
    else
      "\n${title}: `${text}`\n";

  section =
    level: prefix: name: option:
    "\n${level} `${prefix}${name}`\n\n"
    + lib.removeSuffix "\n" (plainText option.description)
    + "\n\nType: ${typeOf name option}${
      lib.optionalString (option.type.name == "enum")
        ": ${lib.concatMapStringsSep ", " (value: "`${value}`") (valuesOf name)}"
    }\n"
    + lib.optionalString (option ? default || option ? defaultText) (
      field "Default" (show (option.defaultText or option.default))
    )
    + lib.optionalString (option ? example) (field "Example" (show option.example));

  plainText = description: if builtins.isAttrs description then description.text else description;
  valuesOf =
    name:
    {
      onFailedUnits = [
        "rollback"
        "keep"
      ];
      elevation = [
        "auto"
        "sudo"
        "run0"
        "doas"
        "none"
      ];
    }
    .${name};

  isShown = option: !(option.internal or false);
  sections =
    level: prefix: options:
    lib.concatStrings (
      lib.concatMap (
        name:
        let
          option = options.${name};
        in
        if option._type or null == "option" then
          lib.optional (isShown option) (section level prefix name option)
        else
          [ (sections level "${prefix}${name}." option) ]
      ) (lib.attrNames (removeAttrs options [ "_module" ]))
    );

  entry = options.modules.type.getSubOptions [ ];
  builtin = import ./runtime-modules/builtin/list.nix;
in
''
  # Options and built-in modules

  <!-- Made by nixos/docs.nix from the options themselves: `make docs`. -->

  The NixOS module `nixosModules.default` declares these options. It targets NixOS 24.05 and later.

  ## Options
''
+ sections "###" "services.runtimeModules." options
+ ''

  ## An entry of `modules`
''
+ sections "###" "" entry
+ ''

  ## Built-in modules

  With `services.runtimeModules.builtinModules.enable`. Each looks at which options the host's nixpkgs has before it sets
  any, so one file serves every release.

  | module | is for |
  |---|---|
''
+ lib.concatMapStrings (name: "| `rt.${name}` | ${builtin.${name}} |\n") (lib.attrNames builtin)
+ builtins.readFile ./runtime-modules/builtin/notes.md
