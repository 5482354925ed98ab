# fio: load on block devices and file systems, described by job files.
import ../guests/suite.nix {
  name = "fio";
  title = "fio";
  package = pkgs: pkgs.fio;
  extraOptions =
    { lib, ... }:
    {
      jobs = lib.mkOption {
        type = lib.types.attrsOf lib.types.lines;
        default = { };
        example = lib.literalExpression ''
          {
            randread = "[randread]\nrw=randread\nfilename=/dev/disk/by-id/virtio-data\nruntime=60";
          }
        '';
        description = "Job files, by name. They run one after the other, and the results of each are in NAME.json.";
      };
    };
  assertions = cfg: [
    {
      assertion = builtins.all (name: builtins.match "[A-Za-z0-9._-]+" name != null) (
        builtins.attrNames cfg.jobs
      );
      message =
        "cannot use a name in guests.testSuites.fio.jobs as the name of a file: it has a character other than letters, "
        + "digits, `.`, `_` and `-`. Rename the job. The names are: ${toString (builtins.attrNames cfg.jobs)}.";
    }
  ];
  path = { cfg, ... }: [ cfg.package ];
  script =
    {
      cfg,
      lib,
      pkgs,
    }:
    ''
      status=0
      ${lib.concatStrings (
        lib.mapAttrsToList (name: text: ''
          fio --output-format=json --output "$results/${name}.json" "$@" ${pkgs.writeText "${name}.fio" text} || status=$?
        '') cfg.jobs
      )}
      exit "$status"
    '';
}
