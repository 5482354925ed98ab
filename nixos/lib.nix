# The flake's output `lib`: pure functions for flakes with runtime modules. The argument `lib` is that of nixpkgs.
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
  # All modules of a folder by name, for services.runtimeModules.modules and for the output `runtimeModules`: `x.nix`,
  # and folders with a default.nix. The folder's own default.nix and names that start with `_` or `.` are ignored.
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

  # A host with some of its runtime modules enabled, as the program would extend it. The modules apply in the order
  # in which the host declares them, not in the order of `names`.
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

  # The options that differ between two hosts and take effect only after a reboot, with their old and new values.
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

  # A flake check that evaluates a host with some of its modules down to the derivation of the system, without building
  # it. It warns of changes that need a reboot.
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
          "runtime module ${name}: ${option} changes, which takes effect only after a reboot: "
          + "${changes.${option}.was} becomes ${changes.${option}.now}"
        ) value
      ) extended.config.system.build.toplevel.drvPath (attrNames changes);
    in
    host.pkgs.runCommand "runtime-module-${name}" {
      # Without string context, this check does not depend on the system, so the system is instantiated but not built.
      toplevel = builtins.unsafeDiscardStringContext warned;
    } ''echo "$toplevel" > "$out"'';

  # A check for each runtime module of a host, except those with `skipValidation`. `builtin` includes the built-in
  # modules, some of which need packages that a host may not allow. `together` adds one check of all modules together.
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

  # For modules that support several releases of nixpkgs: sets an option only if it exists. For example
  # `setting options [ "programs" "steam" "protontricks" "enable" ] true`.
  setting =
    options: path: value:
    lib.optionalAttrs (lib.hasAttrByPath path options) (lib.setAttrByPath path value);
}
