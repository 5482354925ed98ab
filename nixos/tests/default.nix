# Tests on virtual machines with nixpkgs' test driver. `checks` has one for each behaviour. `machine` is the
# configuration that all of them boot, exported so that the machine finds itself in the flake's nixosConfigurations.
{ self, pkgs }:
let
  inherit (pkgs) lib;

  # A test. `toggled` lists the modules that it enables.
  run =
    name:
    { script, toggled }:
    pkgs.testers.runNixOSTest {
      name = "runtime-module-${name}";
      nodes.machine = import ./machine.nix { inherit self toggled; };
      globalTimeout = 900;
      testScript = ''
        def system():
            return machine.succeed("readlink -f /run/current-system").strip()

        machine.start()
        machine.wait_for_unit("multi-user.target")
        base = system()

        ${builtins.readFile script}
      '';
    };
  tests = lib.mapAttrs run {
    toggle = {
      script = ./toggle.py;
      toggled = [ "web" ];
    };
    check = {
      script = ./check.py;
      toggled = [ ];
    };
    prefetch = {
      script = ./prefetch.py;
      toggled = [ "web" ];
    };
    failing-unit = {
      script = ./failing-unit.py;
      toggled = [ "failing" ];
    };
    confirm = {
      script = ./confirm.py;
      toggled = [ "web" ];
    };
    crash = {
      script = ./crash.py;
      toggled = [
        "slow"
        "web"
      ];
    };
    foreign-switch = {
      script = ./foreign-switch.py;
      toggled = [ "web" ];
    };
    restore-at-boot = {
      script = ./restore-at-boot.py;
      toggled = [ "web" ];
    };
  };
in
{
  checks = lib.mapAttrs' (name: lib.nameValuePair "vm-${name}") tests;
  machine = tests.toggle.nodes.machine.testing.configuration;
}
