# Writes boot.json of a system without a kernel: nixpkgs' bootspec, with an extension for programs that start guests.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.guests.bootJson;
  specialisations = lib.mapAttrs (
    _: one: one.configuration.system.build.toplevel
  ) config.specialisation;
  jq = "${pkgs.buildPackages.jq}/bin/jq";

  # nixpkgs 24.05 always names its own kernel in boot.json. Newer releases leave out the kernel and its parameters if
  # boot.kernel.enable is false. This document is the same on all of them.
  document = pkgs.writeText "boot.json" (
    builtins.toJSON (
      config.boot.bootspec.extensions
      // {
        "org.nixos.bootspec.v1" = {
          inherit (pkgs.stdenv.hostPlatform) system;
          inherit (config.boot) kernelParams;
          label = "${config.system.nixos.distroName} ${config.system.nixos.label} (external kernel)";
        }
        // lib.optionalAttrs config.boot.initrd.enable {
          initrd = "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}";
        };
      }
    )
  );
in
{
  options.guests.bootJson = mkOption {
    type = types.submodule {
      freeformType = types.attrsOf types.anything;
      options.virtiofs = mkOption {
        type = types.attrsOf types.str;
        default = { };
        description = "The virtiofs tags that the system mounts, with their mount points.";
      };
    };
    default = { };
    internal = true;
    description = "The values of the extension in boot.json.";
  };

  config = lib.mkIf (!config.boot.kernel.enable && config.guests.backend == "imageless") {
    boot.bootspec.extensions."runtime-module.guest.v1" = cfg;

    # `placeholder "out"` is the path of the system itself. A file that the system refers to cannot contain this path.
    boot.bootspec.writer = lib.mkDefault ''
      ${
        lib.escapeShellArgs [
          jq
          "--sort-keys"
          "--arg"
          "toplevel"
          (placeholder "out")
          ''."org.nixos.bootspec.v1" += { toplevel: $toplevel, init: ($toplevel + "/init") }''
          document
        ]
      } |
      ${
        lib.escapeShellArgs (
          [
            jq
            "--sort-keys"
          ]
          ++ lib.concatLists (
            lib.mapAttrsToList (name: system: [
              "--slurpfile"
              name
              "${system}/${config.boot.bootspec.filename}"
            ]) specialisations
          )
          ++ [ ''."org.nixos.specialisation.v1" = ($ARGS.named | map_values(first))'' ]
        )
      } > "$out/${config.boot.bootspec.filename}"
    '';

    guests.bootJson = {
      root = config.fileSystems."/".fsType;
      virtiofs = lib.mapAttrs' (mountPoint: one: lib.nameValuePair one.device mountPoint) (
        lib.filterAttrs (_: one: one.fsType == "virtiofs") config.fileSystems
      );
    };
  };
}
