{
  description = "A machine with a real systemd, made of minios: what the tests of tests/system switch";

  outputs =
    { self }:
    {
      nixosConfigurations.machine = import ../minios/eval-config.nix {
        system = "x86_64-linux";
        specialArgs = { inherit self; };
        modules = [ ./host.nix ];
      };
    };
}
