# Settings that the units of monitors and test suites share. The instance name of such a unit is the id of a run, and
# the unit writes to a folder for that run.
{ lib, pkgs }:
let
  pure = import ./lib.nix { inherit lib; };
  prepare = pkgs.writeShellScript "prepare-run" ''
    set -euo pipefail
    PATH=${lib.makeBinPath [ pkgs.coreutils ]}
    ${builtins.readFile ./prepare-run.sh}
  '';
in
{
  # The settings of a service that writes below `folder`. A confined service cannot write anywhere else. `%i` in the
  # path is the id of the run.
  serviceConfig =
    {
      folder,
      owner ? "root",
      confined ? true,
    }:
    {
      # `+` runs the script without the sandbox and as root.
      ExecStartPre = [
        "+${prepare} %i ${
          lib.escapeShellArgs [
            (pure.outputBase folder)
            folder
            owner
          ]
        }"
      ];
      WorkingDirectory = "-${folder}";
    }
    // lib.optionalAttrs confined {
      ProtectSystem = "strict";
      ProtectHome = "read-only";
      PrivateTmp = true;
      NoNewPrivileges = true;
      ReadWritePaths = [ "-${folder}" ];
    };

  # Asserts that an output folder is usable. `option` is the name of the option that contains the folder.
  assertion = option: folder: {
    assertion = pure.outputDirProblem folder == null;
    message =
      "cannot use ${builtins.toJSON folder} as ${option}: ${toString (pure.outputDirProblem folder)}. Use a path like "
      + "\"/var/lib/runs/%i\"; `%i` stands for the id of the run.";
  };
}
