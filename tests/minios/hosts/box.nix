# The host of most tests: it declares every module in `../runtime`, working and failing.
{ pkgs, self, ... }:
{
  imports = [
    ./common.nix
    ../../../nixos/runtime-modules
  ];

  networking.hostName = "box";

  # An overlay, because most machines have one.
  nixpkgs.overlays = [
    (_final: previous: {
      greeter = previous.greeter // {
        overlaid = true;
      };
    })
  ];
  environment.systemPackages = [ pkgs.greeter ];

  # A service for each action that a switch can take on a changed unit. The module `settings` changes all of them.
  systemd.services = {
    journal = {
      description = "Journal: stopped and started again";
      wantedBy = [ "multi-user.target" ];
      script = "while sleep 60; do :; done";
    };
    gateway = {
      description = "Gateway: restarted at once";
      wantedBy = [ "multi-user.target" ];
      stopIfChanged = false;
      script = "while sleep 60; do :; done";
    };
    names = {
      description = "Names: reloaded";
      wantedBy = [ "multi-user.target" ];
      reloadIfChanged = true;
      serviceConfig.ExecReload = "${pkgs.busybox}/bin/true";
      script = "while sleep 60; do :; done";
    };
    session = {
      description = "Session: not restarted";
      wantedBy = [ "multi-user.target" ];
      restartIfChanged = false;
      script = "while sleep 60; do :; done";
    };
  };

  services.runtimeModules = {
    enable = true;
    flake = self;
    modules = {
      # Modules that work.
      hello = {
        module = ../runtime/hello.nix;
        description = "A greeting on every start";
      };
      # The first line of this module's file is its description.
      web.module = ../runtime/web.nix;
      slow = {
        path = ../runtime/slow.nix;
        description = "Takes some seconds to build";
      };
      # An entry can be just a path.
      noisy = ../runtime/noisy.nix;
      settings = ../runtime/settings.nix;
      users = ../runtime/users.nix;
      warning = ../runtime/warning.nix;
      # Several files form one module.
      pair = {
        imports = [
          ../runtime/pair/left.nix
          ../runtime/pair/right.nix
        ];
        description = "Two files as one module";
      };
      # A folder, and a module without a file.
      folder = ../runtime/folder;
      inline = {
        module = {
          environment.etc.inline.text = "written where it is declared\n";
        };
        description = "A module without a file";
      };

      # Modules that do not evaluate.
      assertion = ../runtime/assertion.nix;
      conflict-a = ../runtime/conflict-a.nix;
      conflict-b = ../runtime/conflict-b.nix;
      deep-thunks = ../runtime/deep-thunks.nix;
      endless-loop = ../runtime/endless-loop.nix;
      endless-recursion = ../runtime/endless-recursion.nix;
      infinite-recursion = ../runtime/infinite-recursion.nix;
      missing-file = ../runtime/missing-file.nix;
      syntax-error = {
        module = ../runtime/syntax-error.nix;
        skipValidation = true;
      };
      type-error = ../runtime/type-error.nix;
      unfree = ../runtime/unfree.nix;
      unknown-option = ../runtime/unknown-option.nix;

      # Modules that evaluate, but fail later or need more than a switch.
      broken-build = ../runtime/broken-build.nix;
      failing-activation = ../runtime/failing-activation.nix;
      failing-unit = ../runtime/failing-unit.nix;
      ifd = ../runtime/ifd.nix;
      inhibitor = ../runtime/inhibitor.nix;
      init-interface = ../runtime/init-interface.nix;
      kernel = ../runtime/kernel.nix;
      ten-minutes = ../runtime/ten-minutes.nix;
    };
  };
}
