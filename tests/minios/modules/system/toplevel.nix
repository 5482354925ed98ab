# The toplevel: a folder that refers to all parts of the system.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (config.system) build;
  inherit (config.system.boot) loader;

  toplevel =
    pkgs.runCommand "nixos-system-${config.networking.hostName}-${config.system.nixos.label}"
      {
        inherit (build) activate;
        inherit (config.system.nixos) version;
        platform = config.nixpkgs.hostPlatform;
        kernelParams = config.boot.kernelParams;
        initInterface = "systemd ${toString config.systemd.package.interfaceVersion}";
        inhibitors = builtins.toJSON config.system.switch.inhibitors;
        extraDependencies = config.system.extraDependencies;
        switchScript = ../../activation/switch-to-configuration.sh;
        init = ''
          #!${pkgs.busybox}/bin/sh
          # The second stage of a boot. minios never boots; the file exists because every NixOS system has one.
          export PATH=${pkgs.busybox}/bin
          "$(dirname "$(readlink -f "$0")")/activate"
          exec /lib/systemd/systemd "$@"
        '';
        specialisations = lib.mapAttrsToList (name: system: "${name}=${system}") build.specialisations;
        passAsFile = [
          "init"
          "inhibitors"
        ];
      }
      ''
        mkdir -p "$out/bin" "$out/specialisation"
        cp "$activate" "$out/activate"
        cp "$initPath" "$out/init"
        chmod +x "$out/activate" "$out/init"
        ${lib.optionalString config.system.switch.enable ''
          sed -e "s|@out@|$out|g" -e "s|@busybox@|${pkgs.busybox}|g" -e "s|@checks@|${build.preSwitchChecks}|g" \
            "$switchScript" > "$out/bin/switch-to-configuration"
          chmod +x "$out/bin/switch-to-configuration"
        ''}

        ln -s ${build.etc}/etc "$out/etc"
        ln -s ${build.path} "$out/sw"
        ln -s ${build.kernel}/${loader.kernelFile} "$out/kernel"
        ln -s ${build.initialRamdisk}/${loader.initrdFile} "$out/initrd"
        ln -s ${config.system.modulesTree} "$out/kernel-modules"
        ln -s ${config.hardware.firmware}/lib/firmware "$out/firmware"
        ln -s ${config.systemd.package} "$out/systemd"
        for one in $specialisations; do
          ln -s "''${one#*=}" "$out/specialisation/''${one%%=*}"
        done

        printf '%s' "$kernelParams" > "$out/kernel-params"
        printf '%s' "$initInterface" > "$out/init-interface-version"
        printf '%s' "$version" > "$out/nixos-version"
        printf '%s' "$platform" > "$out/system"
        printf '%s' "$extraDependencies" > "$out/extra-dependencies"
        cp "$inhibitorsPath" "$out/switch-inhibitors"
        ${config.system.systemBuilderCommands}
      '';

  failed = lib.filter (one: !one.assertion) config.assertions;
in
{
  options.system.extraDependencies = lib.mkOption {
    type = lib.types.listOf lib.types.path;
    default = [ ];
    description = "Store paths that the system keeps alive without using them.";
  };

  options.system.systemBuilderCommands = lib.mkOption {
    type = lib.types.lines;
    default = "";
    description = "Shell commands at the end of the toplevel's build.";
  };

  config.system.build.toplevel =
    if failed != [ ] then
      throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (one: "- ${one.message}") failed}"
    else
      lib.showWarnings config.warnings toplevel;
}
