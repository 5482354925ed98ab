# A machine that builds kernels, runs Ansible, and starts guests with libvirt or QEMU.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.guests.controller;
  toolchain = import ../toolchain.nix { inherit pkgs; };
in
{
  imports = [
    ../guests/backend.nix
    ../guests/machines.nix
    (lib.mkRenamedOptionModule
      [ "nixos-flake" "controller" "enable" ]
      [ "guests" "controller" "enable" ]
    )
  ];

  options.guests.controller = {
    enable = lib.mkEnableOption "the tools of a machine that builds kernels and drives guests";
    users = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "alice" ];
      description = "Accounts that may use libvirt and KVM. Each must be a normal user in `users.users`.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = map (name: {
      assertion = config.users.users ? ${name} && config.users.users.${name}.isNormalUser;
      message =
        "cannot give the account ${builtins.toJSON name} of guests.controller.users access to libvirt: users.users has "
        + "no normal user of that name. Add users.users.${name}.isNormalUser = true, or correct the name.";
    }) cfg.users;

    environment.systemPackages =
      toolchain.kernel
      ++ toolchain.orchestration
      ++ [
        pkgs.qemu
        pkgs.virtiofsd
      ];
    virtualisation.libvirtd = {
      enable = true;
      qemu = {
        runAsRoot = false;
        vhostUserPackages = [ pkgs.virtiofsd ];
      };
    };
    users.groups = {
      kvm.members = cfg.users;
      libvirtd.members = cfg.users;
    };
    nix.settings.experimental-features = [
      "nix-command"
      "flakes"
    ];
  };
}
