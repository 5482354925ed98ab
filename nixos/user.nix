# An unprivileged account that may become root without a password, for work and tests on throw-away machines.
{ config, lib, ... }:
let
  cfg = config.guests.user;
  inherit (lib) mkOption types;
  renamed = name: lib.mkRenamedOptionModule [ "nixos-flake" "user" name ] [ "guests" "user" name ];
in
{
  imports = [
    ./guests/backend.nix
    (renamed "name")
    (renamed "extraGroups")
  ];

  options.guests.user = {
    name = mkOption {
      type = types.str;
      default = "guest";
      example = "alice";
      description = "The name of the account.";
    };
    extraGroups = mkOption {
      type = types.listOf types.str;
      default = [
        "wheel"
        "kvm"
      ]
      ++ lib.optional (config.guests.backend == "libvirt") "libvirtd";
      defaultText = lib.literalExpression ''[ "wheel" "kvm" ], and "libvirtd" with backends.libvirt'';
      example = [
        "wheel"
        "disk"
      ];
      description = "The groups of the account. Members of `wheel` become root with sudo, without a password.";
    };
  };

  config = {
    assertions = [
      {
        assertion = builtins.match "[a-z_][a-z0-9_-]{0,30}" cfg.name != null && cfg.name != "root";
        message =
          "cannot create the account ${builtins.toJSON cfg.name} (guests.user.name): a name has at most 31 lower-case "
          + "letters, digits, `_` and `-`, begins with a letter or `_`, and is not root. Choose another name.";
      }
    ];
    users.users.${cfg.name} = {
      isNormalUser = true;
      extraGroups = cfg.extraGroups;
    };
    security.sudo.wheelNeedsPassword = lib.mkDefault false;
  };
}
