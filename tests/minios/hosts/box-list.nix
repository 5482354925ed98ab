# A host that declares its modules as a list, the older form, in its own order.
{ self, ... }:
{
  imports = [
    ./common.nix
    ../../../nixos/runtime-modules
  ];

  networking.hostName = "box-list";

  services.runtimeModules = {
    enable = true;
    flake = self;
    flakeUrl = "git+file:///etc/nixos";
    modules = [
      {
        name = "web";
        path = ../runtime/web.nix;
      }
      {
        name = "hello";
        path = ../runtime/hello.nix;
        desc = "A greeting on every start";
      }
      {
        name = "pair";
        imports = [
          ../runtime/pair/left.nix
          ../runtime/pair/right.nix
        ];
        skipValidation = true;
      }
    ];
  };
}
