# A test suite as a NixOS module: its package, its machine, and the unit `test-suite-NAME@RUN-ID.service` with a result
# folder for each run.
{
  name,
  # The name of the suite in messages and descriptions.
  title,
  # A function of `pkgs` that returns the default package, or null if nixpkgs does not have the suite.
  package ? null,
  # The required content of a package that nixpkgs does not have, as text for the option and the assertion.
  provides ? null,
  # More options, a function of `lib` and `pkgs`.
  extraOptions ? _: { },
  # More assertions, a function of the suite's configuration.
  assertions ? _: [ ],
  # Packages in the runner's PATH, a function of `pkgs` and `cfg`.
  path ? _: [ ],
  # The shell script that runs the suite, a function of `lib`, `pkgs` and `cfg`. It starts in the result folder, and
  # gets the arguments in the option `arguments`.
  script,
  # Programs that scripts of the suite name by their paths: a function of `pkgs` that returns a set of paths, each with
  # its program.
  links ? _: { },
  # The account that runs the suite.
  user ? "root",
  # Configuration of the machine, a function of `lib`, `pkgs` and `cfg`.
  machine ? _: { },
}:
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.guests.testSuites.${name};
  option = "guests.testSuites.${name}";
  hasPackage = options.guests.testSuites.${name}.package.isDefined;
  run = import ./run.nix { inherit lib pkgs; };

  runner = pkgs.writeShellScript "run-${name}" ''
    set -uo pipefail
    results=$1
    shift
    # Programs that open /dev/stdout again must not overwrite the log.
    : > "$results/output.log"
    exec >> "$results/output.log" 2>&1
    ${script { inherit cfg lib pkgs; }}
  '';
  # systemd replaces specifiers, variables and escape sequences, even within quotes.
  escape = lib.replaceStrings [ "%" "$" "\\" ] [ "%%" "$$" "\\\\" ];
  # systemd sets these variables for ExecStopPost.
  finish = pkgs.writeShellScript "finish-${name}" ''
    printf '{ "suite": "%s", "result": "%s", "code": "%s", "status": "%s" }\n' \
      ${name} "$SERVICE_RESULT" "''${EXIT_CODE-}" "''${EXIT_STATUS-}" > "$1/result.json"
  '';
in
{
  imports = [ ./backend.nix ];

  options.guests.testSuites.${name} = {
    package = mkOption (
      {
        type = types.either types.package (types.strMatching "/.+");
        description =
          if package == null then
            "A package or a folder with ${provides}. nixpkgs does not have ${title}."
          else
            "The package of ${title}.";
      }
      // (
        if package == null then
          { example = lib.literalExpression "pkgs.callPackage ./${name}.nix { }"; }
        else
          {
            default = package pkgs;
            defaultText = lib.literalExpression "pkgs.${lib.getName (package pkgs)}";
          }
      )
    );
    arguments = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Additional arguments for the suite's program.";
    };
    resultDir = mkOption {
      type = types.str;
      default = "/var/lib/test-suites/${name}/%i";
      example = "/mnt/results/%i/${name}";
      description = ''
        The folder for the results of one run of the suite. Each start of the suite's unit is a run, and `%i` stands for
        the ID of the run. The folder contains the suite's own results, the suite's output in `output.log`, and the exit
        status in `result.json`.
      '';
    };
  }
  // extraOptions { inherit lib pkgs; };

  config = lib.mkMerge [
    {
      assertions = [
        {
          assertion = hasPackage;
          message =
            "cannot run the test suite ${name}: nixpkgs does not have it, and ${option}.package is not set. Set it to a "
            + "package or a folder with ${toString provides}.";
        }
        (run.assertion "${option}.resultDir" cfg.resultDir)
      ]
      ++ assertions cfg;
    }
    (lib.mkIf hasPackage {
      environment.systemPackages = lib.optional (lib.isDerivation cfg.package) cfg.package;
      systemd.tmpfiles.rules = lib.mapAttrsToList (path: program: "L+ ${path} - - - - ${program}") (
        links pkgs
      );
      systemd.services."test-suite-${name}@" = {
        description = "${title}, run %i";
        path =
          (with pkgs; [
            bash
            coreutils
            diffutils
            findutils
            gawk
            gnugrep
            gnused
            kmod
            procps
            util-linux
          ])
          ++ path { inherit cfg pkgs; };
        serviceConfig =
          run.serviceConfig {
            folder = cfg.resultDir;
            owner = user;
            # A suite mounts file systems, loads modules and writes to devices.
            confined = false;
          }
          // {
            Type = "exec";
            User = user;
            ExecStart = "${runner} ${lib.escapeShellArgs ([ cfg.resultDir ] ++ map escape cfg.arguments)}";
            ExecStopPost = "+${finish} ${lib.escapeShellArg cfg.resultDir}";
            # A suite may run for days.
            TimeoutStartSec = "infinity";
            OOMPolicy = "continue";
          };
        restartIfChanged = false;
        stopIfChanged = false;
      };
    })
    (lib.mkIf hasPackage (machine {
      inherit
        cfg
        config
        lib
        pkgs
        ;
    }))
  ];
}
