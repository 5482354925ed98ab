# Monitors of a test run: units `monitor-NAME@RUN-ID.service` that an orchestrator starts before a workload and stops
# after it.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.guests.monitoring;
  inherit (lib) mkOption types;
  run = import ../guests/run.nix { inherit lib pkgs; };

  # The options that linux-kdevops/nixos-flake has too. Their old paths still work.
  aliases = map (lib.splitString ".") [
    "enable"
    "outputDir"
    "sysstat.enable"
    "sysstat.interval"
    "sysstat.maxSamples"
    "cpuGovernor.enable"
    "blkalgn.enable"
    "blkalgn.disk"
    "blkalgn.ops"
    "biolatency.enable"
    "biolatency.milliseconds"
    "biolatency.queued"
    "biolatency.perDisk"
    "biolatency.perFlag"
    "biolatency.disk"
    "biolatency.interval"
  ];

  flag =
    default: description:
    mkOption {
      type = types.bool;
      inherit default description;
      example = !default;
    };
  diskOption = mkOption {
    type = types.strMatching "[A-Za-z0-9/_-]*";
    default = "";
    example = "nvme0n1";
    description = "The name of the only disk to trace. If it is empty, all disks are traced.";
  };
  operations = [
    "Read"
    "Write"
    "Flush"
    "Discard"
    "SecureErase"
    "WriteSame"
    "WriteZeroes"
    "ZoneReset"
    "ZoneResetAll"
    "ZoneOpen"
    "ZoneClose"
    "ZoneFinish"
    "SCSIIn"
    "SCSIOut"
    "DrvIn"
    "DrvOut"
  ];

  hasTools = options.guests.monitoring.libbpfTools.isDefined;
  needsTools = cfg.blkalgn.enable || cfg.biolatency.enable;

  unit =
    {
      name,
      description,
      serviceConfig,
    }:
    lib.nameValuePair "monitor-${name}@" {
      inherit description;
      serviceConfig =
        run.serviceConfig { folder = folderOf name; }
        // {
          TimeoutStopSec = "30s";
        }
        // serviceConfig (folderOf name);
    };
  folderOf = name: "${cfg.outputDir}/${builtins.replaceStrings [ "-" ] [ "_" ] name}";

  # A command whose output goes to a file. systemd would open the file of `StandardOutput=append:` before the folder
  # exists.
  appendTo =
    file: words:
    "${pkgs.writeShellScript "append-to" ''
      set -eu
      file=$1
      shift
      exec "$@" >> "$file"
    ''} ${file} ${lib.concatStringsSep " " words}";

  governor = pkgs.writeShellScript "cpu-governor" ''
    set -euo pipefail
    # cpu-governor FILE: writes the governor and the frequency limits of each CPU to FILE.
    for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
      for value in scaling_governor scaling_min_freq scaling_max_freq; do
        file=$cpu/cpufreq/$value
        if [ -r "$file" ]; then printf '%s %s %s\n' "''${cpu##*/}" "$value" "$(< "$file")"; fi
      done
    done > "$1"
  '';
  sysstatJson = pkgs.writeShellScript "sysstat-json" ''
    set -euo pipefail
    # Without a sample there is nothing to convert.
    [ -s "$1/sa-current" ] || exit 0
    ${pkgs.sysstat}/bin/sadf -j -- "$1/sa-current" -A > "$1/sa-current.json"
  '';

  units =
    lib.optional cfg.sysstat.enable {
      name = "sysstat";
      description = "Record CPU, memory, disk and network activity during the run %i";
      serviceConfig = folder: {
        ExecStart = "${pkgs.sysstat}/lib/sa/sadc -S ALL ${toString cfg.sysstat.interval} ${toString cfg.sysstat.maxSamples} ${folder}/sa-current";
        ExecStopPost = "${sysstatJson} ${folder}";
      };
    }
    ++ lib.optional cfg.cpuGovernor.enable {
      name = "cpu-governor";
      description = "Record the CPU governors before and after the run %i";
      serviceConfig = folder: {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${governor} ${folder}/start";
        ExecStop = "${governor} ${folder}/end";
      };
    }
    ++ lib.optional (cfg.blkalgn.enable && hasTools) {
      name = "blkalgn";
      description = "Trace the alignment of block I/O during the run %i";
      serviceConfig = folder: {
        ExecStart = appendTo "${folder}/blkalgn.txt" (
          [ "${cfg.libbpfTools}/bin/blkalgn" ]
          ++ lib.optional (cfg.blkalgn.disk != "") "--disk ${cfg.blkalgn.disk}"
          ++ lib.optional (cfg.blkalgn.ops != "") "--ops ${cfg.blkalgn.ops}"
        );
        KillSignal = "SIGINT";
      };
    }
    ++ lib.optional (cfg.biolatency.enable && hasTools) {
      name = "biolatency";
      description = "Record histograms of block I/O latency during the run %i";
      serviceConfig = folder: {
        ExecStart = appendTo "${folder}/biolatency.txt" (
          [ "${cfg.libbpfTools}/bin/biolatency" ]
          ++ lib.optional cfg.biolatency.milliseconds "--milliseconds"
          ++ lib.optional cfg.biolatency.queued "--queued"
          # -D and -d have the same long name.
          ++ lib.optional cfg.biolatency.perDisk "-D"
          ++ lib.optional cfg.biolatency.perFlag "-F"
          ++ lib.optional (cfg.biolatency.disk != "") "-d ${cfg.biolatency.disk}"
          ++ [
            "--timestamp"
            (toString cfg.biolatency.interval)
          ]
        );
        KillSignal = "SIGINT";
      };
    };
in
{
  imports = [
    ../guests/backend.nix
  ]
  ++ map (
    path:
    lib.mkRenamedOptionModule
      (
        [
          "nixos-flake"
          "monitoring"
        ]
        ++ path
      )
      (
        [
          "guests"
          "monitoring"
        ]
        ++ path
      )
  ) aliases;

  options.guests.monitoring = {
    enable = lib.mkEnableOption "monitors of test runs";
    outputDir = mkOption {
      type = types.str;
      default = "/var/lib/monitoring/runs/%i";
      example = "/mnt/results/%i/monitoring";
      description = ''
        The folder for the results of a run. `%i` stands for the id of the run, and must be a path component by itself.
        Each monitor can write only to its own subfolder and to temporary files.
      '';
    };
    libbpfTools = mkOption {
      type = types.package;
      example = lib.literalExpression "pkgs.callPackage ./libbpf-tools.nix { }";
      description = ''
        The package with `bin/biolatency` and `bin/blkalgn` from the libbpf-tools of BCC, which nixpkgs does not have.
        If an overlay adds `pkgs.libbpf-tools`, this package is the default.
      '';
    };
    sysstat = {
      enable = mkOption {
        type = types.bool;
        default = cfg.enable;
        defaultText = lib.literalExpression "config.guests.monitoring.enable";
        example = false;
        description = "Whether to provide `monitor-sysstat@`, which records with `sadc` and exports JSON when it stops.";
      };
      interval = mkOption {
        type = types.ints.positive;
        default = 5;
        example = 1;
        description = "The number of seconds between two samples.";
      };
      maxSamples = mkOption {
        type = types.ints.positive;
        default = 999999;
        example = 3600;
        description = "The number of samples after which the recorder stops.";
      };
    };
    cpuGovernor.enable = mkOption {
      type = types.bool;
      default = cfg.enable;
      defaultText = lib.literalExpression "config.guests.monitoring.enable";
      example = false;
      description = "Whether to provide `monitor-cpu-governor@`, which records the CPU governors at start and stop.";
    };
    blkalgn = {
      enable = flag false "Whether to provide `monitor-blkalgn@`, which traces the alignment and size of block I/O.";
      disk = diskOption;
      ops = mkOption {
        type = types.str;
        default = "";
        example = "Write";
        description = "The only operation to trace. If it is empty, all operations are traced.";
      };
    };
    biolatency = {
      enable = flag false "Whether to provide `monitor-biolatency@`, which records histograms of block I/O latency.";
      milliseconds = flag true "Whether the histograms are in milliseconds instead of microseconds.";
      queued = flag false "Whether the latency includes the time in the queue of the operating system.";
      perDisk = flag false "Whether to record a histogram for each disk.";
      perFlag = flag false "Whether to record a histogram for each set of I/O flags.";
      disk = diskOption;
      interval = mkOption {
        type = types.ints.positive;
        default = 30;
        example = 5;
        description = "The number of seconds between two histograms.";
      };
    };
  };

  config = lib.mkMerge [
    (lib.mkIf (pkgs ? libbpf-tools) {
      guests.monitoring.libbpfTools = lib.mkDefault pkgs.libbpf-tools;
    })
    (lib.mkIf cfg.enable {
      assertions = [
        (run.assertion "guests.monitoring.outputDir" cfg.outputDir)
        {
          assertion = !needsTools || hasTools;
          message =
            "cannot provide the monitors biolatency and blkalgn: nixpkgs does not have libbpf-tools. Set "
            + "guests.monitoring.libbpfTools to a package with them, or disable guests.monitoring.biolatency.enable "
            + "and guests.monitoring.blkalgn.enable.";
        }
        {
          assertion = cfg.blkalgn.ops == "" || lib.elem cfg.blkalgn.ops operations;
          message =
            "cannot trace the operation ${builtins.toJSON cfg.blkalgn.ops} of guests.monitoring.blkalgn.ops: there is no "
            + "such operation. Use one of ${lib.concatStringsSep ", " operations}.";
        }
      ];
      environment.systemPackages = [ pkgs.sysstat ];
      systemd.services = lib.listToAttrs (map unit units);
    })
  ];
}
