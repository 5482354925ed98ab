# Mounts folders of the host with virtiofs.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  pure = import ../guests/lib.nix { inherit lib; };
in
{
  imports = [
    ../guests/backend.nix
    (lib.mkRenamedOptionModule [ "nixos-flake" "shares" ] [ "guests" "shares" ])
  ];

  options.guests.shares = mkOption {
    type = types.attrsOf (
      types.submodule {
        options = {
          tag = mkOption {
            type = types.str;
            example = "src";
            description = "The tag of the share, as the host passes it to virtiofsd. A tag has at most 36 bytes.";
          };
          options = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [
              "ro"
              "nofail"
            ];
            description = "Mount options.";
          };
        };
      }
    );
    default = { };
    example = lib.literalExpression ''{ "/mnt/src" = { tag = "src"; options = [ "ro" ]; }; }'';
    description = "Virtiofs shares of the host, by mount point.";
  };

  config = {
    assertions = pure.shareAssertions (lib.optionalAttrs (
      config.guests.backend == "imageless"
    ) pure.guestTags) config.guests.shares;
    fileSystems = lib.mapAttrs (
      _: share:
      {
        device = share.tag;
        fsType = "virtiofs";
        # A share has no device to check.
        noCheck = true;
      }
      // lib.optionalAttrs (share.options != [ ]) { inherit (share) options; }
    ) config.guests.shares;
  };
}
