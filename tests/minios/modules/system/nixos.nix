# The release and name of the system.
{ config, lib, ... }:
let
  cfg = config.system.nixos;
  inherit (lib) mkOption types;
in
{
  options.system.nixos = {
    release = mkOption {
      type = types.str;
      readOnly = true;
      default = "24.05";
      description = "The release of NixOS that minios imitates.";
    };
    versionSuffix = mkOption {
      type = types.str;
      internal = true;
      default = ".minios";
      description = "The suffix of the version after the release.";
    };
    version = mkOption {
      type = types.str;
      internal = true;
      default = cfg.release + cfg.versionSuffix;
      defaultText = lib.literalExpression "the release and its suffix";
      description = "The version of the system.";
    };
    label = mkOption {
      type = types.strMatching "[a-zA-Z0-9:_\\.-]*";
      default = cfg.version;
      defaultText = lib.literalExpression "config.system.nixos.version";
      description = "The name of this system among its generations.";
    };
  };

  config.environment.etc.minios-release.text = "VERSION=${cfg.version}\n";
}
