# Has a build that takes ten minutes
{ pkgs, ... }:
{
  environment.etc.ten-minutes.source = pkgs.runCommand "ten-minutes" { } ''
    echo "this takes ten minutes"
    sleep 600
    echo "at last" > "$out"
  '';
}
