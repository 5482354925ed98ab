# Says hello when it is enabled
{ pkgs, ... }:
{
  environment.systemPackages = [
    (pkgs.writeShellScriptBin "hello-runtime" ''echo "Hello from a runtime module."'')
  ];

  systemd.services.hello = {
    description = "Says hello";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = "${pkgs.greeter}/bin/greet minios";
  };
}
