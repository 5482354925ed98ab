# Helpers for flakes that have runtime modules: the flake's output `lib`. Pure functions; `lib` is that of nixpkgs.
{ lib }:
let
  inherit (lib)
    attrNames
    filterAttrs
    hasPrefix
    hasSuffix
    mapAttrs
    mapAttrs'
    nameValuePair
    optional
    removeSuffix
    ;

  registryOf = host: host.config.services.runtimeModules.registry;
in
rec {
  # All modules of a folder, by name, as services.runtimeModules.modules and the output `runtimeModules` take them:
  # `x.nix`, and folders with a default.nix. Names that begin with `_` or `.` are passed over.
  modulesIn =
    folder:
    let
      isModule =
        name: type:
        !hasPrefix "_" name
        && !hasPrefix "." name
        && (
          if type == "directory" then
            builtins.pathExists (folder + "/${name}/default.nix")
          else
            hasSuffix ".nix" name && name != "default.nix"
        );
    in
    mapAttrs' (name: _: nameValuePair (removeSuffix ".nix" name) (folder + "/${name}")) (
      filterAttrs isModule (builtins.readDir folder)
    );

  # A host with some of its runtime modules on, as the program extends it. They take effect in the order in which the
  # host declares them, whatever order they are named in.
  withModules =
    host: names:
    let
      unknown = lib.subtractLists (map (entry: entry.name) (registryOf host)) names;
      chosen = lib.filter (entry: lib.elem entry.name names) (registryOf host);
    in
    if unknown != [ ] then
      throw (
        "The host ${host.config.networking.hostName} has no runtime module ${lib.concatStringsSep ", " unknown}. It has: "
        + "${lib.concatMapStringsSep ", " (entry: entry.name) (registryOf host)}."
      )
    else
      host.extendModules { modules = map (entry: entry.module) chosen; };

  # What of a changed system only a reboot brings into effect, by option: what it was, and what it would be.
  needsReboot =
    before: after:
    let
      facts = config: {
        "boot.kernelPackages.kernel" = "${config.boot.kernelPackages.kernel}";
        "boot.kernelParams" = lib.concatStringsSep " " config.boot.kernelParams;
        "boot.initrd" = "${config.system.build.initialRamdisk}";
        "hardware.firmware" = "${config.hardware.firmware}";
      };
      plain = mapAttrs (_: builtins.unsafeDiscardStringContext);
      was = plain (facts before.config);
      willBe = plain (facts after.config);
    in
    mapAttrs (option: now: {
      inherit now;
      was = was.${option};
    }) (filterAttrs (option: now: now != was.${option}) willBe);

  # A flake check: evaluates a host with some of its modules down to the derivation of the whole system, and builds
  # nothing of it. What only a reboot would bring into effect is warned of.
  check =
    {
      host,
      modules,
      name ? lib.concatStringsSep "+" modules,
    }:
    let
      extended = withModules host modules;
      changes = needsReboot host extended;
      warned = lib.foldl' (
        value: option:
        lib.warn (
          "runtime module ${name}: ${option} changes, which takes effect with a reboot: "
          + "${changes.${option}.was} becomes ${changes.${option}.now}"
        ) value
      ) extended.config.system.build.toplevel.drvPath (attrNames changes);
    in
    host.pkgs.runCommand "runtime-module-${name}" {
      # As text, so that the derivation is instantiated and nothing of it built.
      toplevel = builtins.unsafeDiscardStringContext warned;
    } ''echo "$toplevel" > "$out"'';

  # A check for each runtime module of a host, but for those that say `skipValidation`; for the built-in ones too where
  # `builtin` is true, as a host need not allow what some of them need; and for all of them together where `together` is.
  checks =
    {
      host,
      prefix ? "${host.config.networking.hostName}-",
      builtin ? false,
      together ? false,
    }:
    let
      isChecked = entry: !entry.skipValidation && (builtin || !hasPrefix "rt." entry.name);
      names = map (entry: entry.name) (lib.filter isChecked (registryOf host));
    in
    lib.listToAttrs (
      map (
        name:
        nameValuePair "${prefix}${name}" (check {
          inherit host name;
          modules = [ name ];
        })
      ) names
      ++ optional together (
        nameValuePair "${prefix}all" (check {
          inherit host;
          name = "all";
          modules = names;
        })
      )
    );

  # For modules that serve several releases of nixpkgs: a setting where there is the option, else nothing. Used as
  # `setting options [ "programs" "steam" "protontricks" "enable" ] true`.
  setting =
    options: path: value:
    lib.optionalAttrs (lib.hasAttrByPath path options) (lib.setAttrByPath path value);
}
