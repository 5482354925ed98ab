{
  description = "Machines with a real systemd, built from minios, for the tests of tests/system";

  outputs =
    { self }:
    let
      machine =
        name:
        import ../minios/eval-config.nix {
          system = "x86_64-linux";
          specialArgs = { inherit self; };
          modules = [
            ./host.nix
            { networking.hostName = name; }
          ];
        };
    in
    {
      nixosConfigurations = {
        machine = machine "machine";
        elsewhere = machine "elsewhere";
      };
    };
}
