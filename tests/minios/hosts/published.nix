# Small replacements for the services in the published tables of option costs: settings, units and files in /etc
# generated from options. They are named as in NixOS, so that the tables work on this host.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services;

  settings =
    default:
    mkOption {
      type = types.attrsOf types.unspecified;
      inherit default;
      description = "Settings of the service.";
    };
  # Writes `key = value` lines for each section.
  ini =
    sections:
    lib.concatStrings (
      lib.mapAttrsToList (section: values: "[${section}]\n" + lib.concatStrings (pairs values)) sections
    );
  pairs = lib.mapAttrsToList (key: value: "${key} = ${toString value}\n");
  file = name: values: pkgs.writeText name (ini values);
  service = description: config: {
    inherit description;
    wantedBy = [ "multi-user.target" ];
    script = "exec serve --config ${config}";
  };
in
{
  imports = [ ./common.nix ];

  options = {
    boot.kernel.sysctl = settings { };
    fileSystems = settings { };
    services = {
      openssh.settings = settings { };
      jenkins.jobBuilder = settings { };
      grafana.settings = settings { };
      gotosocial.settings = settings { };
    };
  };

  config = {
    networking.hostName = "published";
    boot.kernel.sysctl = {
      "net.ipv4.ip_forward" = 1;
      "vm.swappiness" = 10;
    };
    fileSystems."/" = {
      device = "/dev/disk/by-label/root";
      fsType = "ext4";
    };
    services = {
      openssh.settings = {
        PermitRootLogin = "no";
        X11Forwarding = false;
      };
      jenkins.jobBuilder = {
        enable = false;
        accessUser = "admin";
      };
      grafana.settings = {
        server.http_port = 3000;
        # As in the Grafana module of nixpkgs, this is a derivation generated from other settings.
        paths.provisioning = file "provisioning" {
          provisioning.port = cfg.grafana.settings.server.http_port;
        };
      };
      gotosocial.settings = {
        host = "example.org";
        port = 8080;
      };
    };
    environment.etc = {
      "sysctl.d/60-nixos.conf".text = lib.concatStrings (
        lib.mapAttrsToList (name: value: "${name}=${toString value}\n") config.boot.kernel.sysctl
      );
      fstab.text = lib.concatStrings (
        lib.mapAttrsToList (
          mount: one: "${one.device} ${mount} ${one.fsType} defaults 0 0\n"
        ) config.fileSystems
      );
    };
    systemd.services = {
      sshd = service "Lets people in" (file "sshd_config" { sshd = cfg.openssh.settings; });
      jenkins = service "Builds" (file "jenkins.ini" { builder = cfg.jenkins.jobBuilder; });
      grafana = service "Draws" (file "grafana.ini" cfg.grafana.settings);
      gotosocial = service "Talks" (file "gotosocial.ini" { gotosocial = cfg.gotosocial.settings; });
    };
  };
}
