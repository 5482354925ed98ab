# Takes about six seconds to build, in four derivations
{ pkgs, ... }:
let
  # Three derivations that can be built in parallel, and one that needs them: about six seconds with two jobs.
  part =
    name:
    pkgs.runCommand "slow-${name}" { } ''
      for step in 1 2 3 4 5 6 7 8 9 10; do
        echo "${name}: step $step of 10"
        sleep 0.2
      done
      echo "${name}" > "$out"
    '';
  parts = map part [
    "first"
    "second"
    "third"
  ];

  whole = pkgs.runCommand "slow" { inherit parts; } ''
    for step in 1 2 3 4 5 6 7 8 9 10; do
      echo "putting it together: $step of 10"
      sleep 0.2
    done
    cat $parts > "$out"
  '';
in
{
  environment.etc.slow.source = whole;
}
