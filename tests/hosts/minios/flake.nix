{
  description = "The small hosts of ../../minios, and the same with modules written out by hand, for measurements";

  outputs =
    { self }:
    let
      lib = import ../../minios/lib;

      host =
        file:
        import ../../minios/eval-config.nix {
          system = "x86_64-linux";
          specialArgs = { inherit self; };
          modules = [ file ];
        };

      box = host ../../minios/hosts/box.nix;
      wide = host ../../minios/hosts/wide.nix;
      ten = host ./ten.nix;

      with' = configuration: module: configuration.extendModules { modules = [ module ]; };
      first.environment.etc."wide/module-0001".text = "1\n";
    in
    {
      nixosConfigurations = {
        inherit box ten wide;
        "box+hello" = with' box ../../minios/runtime/hello.nix;
        "ten+module-0001" = with' ten first;
        "wide+module-0001" = with' wide first;
      };
    };
}
