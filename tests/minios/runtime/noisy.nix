# Has a build that prints a hundred thousand lines
{ pkgs, ... }:
{
  environment.etc.noisy.source = pkgs.runCommand "noisy" { } ''
    seq 100000 | sed 's/^/this is line /'
    echo "quiet again" > "$out"
  '';
}
