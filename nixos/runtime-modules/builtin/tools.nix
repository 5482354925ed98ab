# Shared code of the built-in modules: settings that only some releases of nixpkgs have, and requirements for the host.
# Use it as `import ./tools.nix args "name"`, with the module's arguments (which must include those below) and the name
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

  # Sets an option that was renamed between releases; list the latest name first.
  firstOf = paths: value: setting (lib.findFirst has (lib.head paths) paths) value;

  # Whether the host's packages come from nixpkgs.pkgs. If so, NixOS ignores nixpkgs.config, and NixOS's read-only
  # variant of the nixpkgs module refuses it.
  packagesAreGiven = options.nixpkgs.pkgs.isDefined;

  # Whether a package is unfree and not allowed. Only evaluating the package shows whether the host allows it.
  isRefused = package: package.meta.unfree or false && !(builtins.tryEval package.drvPath).success;
in
{
  inherit has setting firstOf;

  # The first of these packages that exists in this release of nixpkgs.
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

  # Graphics drivers: `hardware.opengl` until 24.05, `hardware.graphics` in later releases.
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

  # Warns of a graphical program on a host without a graphical session.
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
        "rt.${name} is a graphical program, but this host has no graphical session (${option} is false). "
        + "Enable one in the host's own configuration, or use a forwarded display."
      );
    };

  # Applies settings on some platforms. On others, only the assertion is evaluated, because NixOS's own code may throw
  # a less helpful error. For example, 32-bit graphics drivers do not exist on ARM.
  onPlatforms =
    systems: settings:
    let
      isSupported = lib.elem platform.system systems;
    in
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = isSupported;
            message =
              "rt.${name} is available only for ${lib.concatStringsSep " and " systems}, "
              + "but nixpkgs.hostPlatform is ${platform.system}. Do not enable it on this host.";
          }
        ];
      }
      (lib.mkIf isSupported (lib.mkMerge settings))
    ];

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
            "rt.${name} needs unfree software: ${lib.concatStringsSep ", " names}. "
            + (
              if packagesAreGiven then
                "This host sets nixpkgs.pkgs, so nixpkgs.config has no effect: allow it where that package set is "
                + "imported, with config.allowUnfreePredicate ="
              else
                "Allow it in the host's own configuration: nixpkgs.config.allowUnfreePredicate ="
            )
            + " package: builtins.elem (lib.getName package) [ ${
               lib.concatMapStringsSep " " builtins.toJSON names
             } ];";
        }
      ];
    };

  # Refuses another option that must not be enabled together with the module.
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
            "rt.${name} conflicts with ${lib.showOption option}: ${why}. The option is true in "
            + "${lib.concatMapStringsSep " and " toString files}. Disable one of them"
            + lib.optionalString (lib.any (lib.hasInfix "/runtime-modules/builtin/") (map toString files)) ", for example with `runtime-module disable rt.${lib.head (lib.splitString "." (baseNameOf (toString (lib.head files))))}`"
            + ".";
        }
      ];
    };

  # Warns if no user is in the group that may use the module's service. The host's own configuration must add users.
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
        "rt.${name}: only root can ${what}, because no user of this host is in the group ${group}. Add "
        + "users.users.<name>.extraGroups = [ ${builtins.toJSON group} ]; to the host's own configuration, "
        + "and log in again."
      );
    };
}
