# A machine for tests/system: minios on Debian, with Debian's systemd as init.
{
  lib,
  pkgs,
  self,
  ...
}:
{
  imports = [
    ../minios/hosts/common.nix
    ../../nixos/runtime-modules
    ./home.nix
    ./secrets.nix
  ];

  # Puts links to Debian's systemd at the paths in the toplevel at which NixOS's switch programs call it.
  nixpkgs.overlays = [
    (final: _previous: {
      systemd =
        final.runCommand "systemd-of-the-machine"
          {
            passthru.interfaceVersion = 2;
          }
          ''
            mkdir -p "$out/bin" "$out/lib/systemd"
            for program in busctl journalctl loginctl systemctl systemd-escape; do
              ln -s "/usr/bin/$program" "$out/bin/$program"
            done
            ln -s /usr/lib/systemd/systemd "$out/lib/systemd/systemd"
          '';
    })
  ];
  environment.systemPackages = [ pkgs.systemd ];

  # Every NixOS has these units. The switch programs start the targets of the new system again, and compare system.conf.
  systemd.units = {
    "multi-user.target".text = ''
      [Unit]
      Description=Multi-User System
      Requires=basic.target
      After=basic.target
      AllowIsolate=yes
    '';
    "timers.target".text = ''
      [Unit]
      Description=Timer Units
      DefaultDependencies=no
      Conflicts=shutdown.target
    '';
    "sockets.target".text = ''
      [Unit]
      Description=Socket Units
    '';
    "sysinit-reactivation.target".text = ''
      [Unit]
      Description=Reactivate sysinit units
    '';
  };
  environment.etc."systemd/system.conf".text = "[Manager]\n";
  environment.etc."systemd/user/nixos-activation.service".text = ''
    [Unit]
    Description=Run user-specific NixOS activation

    [Service]
    Type=oneshot
    ExecStart=/bin/true
  '';

  # A unit that a change only reloads. `bad-reload` makes the reload fail.
  systemd.services.reloaded = {
    description = "Is reloaded when it changes";
    wantedBy = [ "multi-user.target" ];
    reloadIfChanged = true;
    serviceConfig.Type = "oneshot";
    serviceConfig.RemainAfterExit = true;
    serviceConfig.ExecStart = "/bin/true";
    serviceConfig.ExecReload = "/bin/sh -c 'test \"$BREAK\" != yes || { echo cannot reload >&2; exit 6; }'";
  };

  services.runtimeModules = {
    enable = true;
    flake = self;
    restoreAtBoot = true;
    # Most tests do not depend on the settle time. Those in settling.py set it.
    settle = "200ms";
    modules =
      import ./units.nix { inherit lib; }
      //
        lib.mapAttrs
          (name: description: {
            module = ./modules + "/${name}.nix";
            inherit description;
          })
          {
            beacon = "A service that keeps running";
            broken-script = "An activation script that fails";
            changed = "Changes a unit of the base";
            chatty = "Prints ten thousand lines from a unit and from a script";
            failing = "A unit that fails";
            home = "More files in alice's home";
            inhibited = "Changes a switch inhibitor";
            login = "A group, and an environment variable of every session";
            other-init = "Needs another init";
            refused = "A pre-switch check that refuses";
            secret = "Another secret, and a service that reads it";
            slow = "A unit that takes four seconds to start";
            stubborn = "A unit that ignores requests to stop";
            user-unit = "A unit of the user manager";
          };
  };
}
