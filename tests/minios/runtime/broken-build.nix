# Has a build that fails after some lines
{ pkgs, ... }:
{
  environment.etc.broken-build.source = pkgs.runCommand "broken-build" { } ''
    for line in $(seq 40); do
      echo "compiling part $line"
    done
    echo "part 41 does not compile: a semicolon is missing" >&2
    exit 3
  '';
}
