# What several built-in modules say: settings that only some releases of nixpkgs have, and what a host must have. Used as
# `import ./tools.nix args "name"`, with the arguments of the module (which must name all that is named here) and the name
# of its file.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
name:
let
  code = text: "`${text}`";
  platform = pkgs.stdenv.hostPlatform;

  has = path: lib.hasAttrByPath path options;
  setting = path: value: lib.optionalAttrs (has path) (lib.setAttrByPath path value);

  # What an option was called in other releases, the latest name first.
  firstOf = paths: value: setting (lib.findFirst has (lib.head paths) paths) value;

  # Where the packages of this host are made elsewhere: nixpkgs' own module ignores nixpkgs.config then, and its
  # read-only one refuses it.
  packagesAreGiven = options.nixpkgs.pkgs.isDefined;

  # Software that is not free and not allowed. Only evaluating a package can tell what a host allows.
  isRefused = package: package.meta.unfree or false && !(builtins.tryEval package.drvPath).success;
in
{
  inherit has setting firstOf;

  # The first of these packages that this release of nixpkgs has.
  packageOf =
    paths:
    let
      found = lib.findFirst (
        path:
        let
          tried = builtins.tryEval (lib.attrByPath path null pkgs);
        in
        tried.success && tried.value != null
      ) null paths;
    in
    if found == null then
      throw "rt.${name}: this nixpkgs has none of ${
        lib.concatMapStringsSep ", " (path: "pkgs.${lib.showAttrPath path}") paths
      }"
    else
      lib.getAttrFromPath found pkgs;

  # Drivers for programs that draw: `hardware.opengl` until 24.05, then `hardware.graphics`.
  graphics = firstOf [
    [
      "hardware"
      "graphics"
      "enable"
    ]
    [
      "hardware"
      "opengl"
      "enable"
    ]
  ] true;
  graphics32 = firstOf [
    [
      "hardware"
      "graphics"
      "enable32Bit"
    ]
    [
      "hardware"
      "opengl"
      "driSupport32Bit"
    ]
  ] true;

  # Programs with windows, on a host that can show none.
  windows =
    let
      isThere = config.hardware.graphics.enable or config.hardware.opengl.enable or true;
      option =
        if
          has [
            "hardware"
            "graphics"
          ]
        then
          "hardware.graphics.enable"
        else
          "hardware.opengl.enable";
    in
    {
      warnings = lib.optional (!isThere) (
        "rt.${name} is a program with windows, and this host has no graphical session (${option} is false). "
        + "Turn one on in the host's own configuration, or use the program over a forwarded display."
      );
    };

  platforms = systems: {
    assertions = [
      {
        assertion = lib.elem platform.system systems;
        message =
          "rt.${name} is only there for ${lib.concatStringsSep " and " systems}, "
          + "and nixpkgs.hostPlatform is ${platform.system}. Leave it off on this host.";
      }
    ];
  };

  unfree =
    packages:
    let
      names = lib.unique (map lib.getName (lib.filter isRefused packages));
    in
    {
      assertions = [
        {
          assertion = names == [ ];
          message =
            "rt.${name} needs software that is not free: ${lib.concatStringsSep ", " names}. "
            + (
              if packagesAreGiven then
                "The packages of this host are given by nixpkgs.pkgs, where nixpkgs.config has no say: allow it where "
                + "that package set is imported, with config.allowUnfreePredicate ="
              else
                "Allow it in the host's own configuration: nixpkgs.config.allowUnfreePredicate ="
            )
            + " package: builtins.elem (lib.getName package) [ ${
               lib.concatMapStringsSep " " builtins.toJSON names
             } ];";
        }
      ];
    };

  # Something else that must not be there.
  conflicts =
    option: why:
    let
      value = lib.getAttrFromPath option config;
      files = (lib.getAttrFromPath option options).files;
    in
    {
      assertions = [
        {
          assertion = !value;
          message =
            "rt.${name} and ${lib.showOption option} exclude each other: ${why}. The option is true in "
            + "${lib.concatMapStringsSep " and " toString files}. Turn one of them off"
            + lib.optionalString (lib.any (lib.hasInfix "/runtime-modules/builtin/") (map toString files)) ", for example with `runtime-module disable rt.${lib.head (lib.splitString "." (baseNameOf (toString (lib.head files))))}`"
            + ".";
        }
      ];
    };

  # Who may use what a module brings: a group that people are in by the host's own configuration.
  members =
    group: what:
    let
      inGroup =
        user:
        lib.elem group (user.extraGroups or [ ])
        || lib.elem user.name (config.users.groups.${group}.members or [ ]);
      people = lib.filter (user: user.isNormalUser or false) (lib.attrValues config.users.users);
    in
    {
      warnings = lib.optional (!lib.any inGroup people) (
        "rt.${name}: nobody but root may ${what}, as no user of this host is in the group ${group}. Put "
        + "users.users.<name>.extraGroups = [ ${builtins.toJSON group} ]; into the host's own configuration, and log in anew."
      );
    };
}
