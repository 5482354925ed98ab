# A text editor
{ pkgs, ... }:
{
  environment.systemPackages = [
    (pkgs.writeShellScriptBin "edit" ''exec ${pkgs.busybox}/bin/vi "$@"'')
  ];
  environment.etc."editor.conf".text = "tabs = 4\n";
}
