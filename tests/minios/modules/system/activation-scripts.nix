# Scripts that run on activation, before units are started or stopped.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  scripts = config.system.activationScripts;

  # Sorted by dependencies, then by name.
  visit =
    done: name:
    if lib.elem name done then done else lib.foldl' visit done scripts.${name}.deps ++ [ name ];
  ordered = lib.foldl' visit [ ] (lib.attrNames scripts);

  # A failing snippet is reported, and the others still run.
  snippet = name: ''
    (
    set -e
    ${scripts.${name}.text}
    )
    failed=$?
    if [ "$failed" != 0 ]; then
      echo "Activation script snippet '${name}' failed ($failed)" >&2
      status=1
    fi
  '';
in
{
  options.system.activationScripts = mkOption {
    type = types.attrsOf (
      types.coercedTo types.str (text: { inherit text; }) (
        types.submodule {
          options = {
            text = mkOption {
              type = types.lines;
              description = "A shell script. Prefix every absolute path that it changes with `$root`.";
            };
            deps = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "The names of the scripts that must run before this one.";
            };
          };
        }
      )
    );
    default = { };
    description = "Scripts to run on activation, by name.";
  };

  config.system.build.activate = pkgs.writeScript "activate" ''
    #!${pkgs.busybox}/bin/sh
    # Activates the system that contains this script.
    export PATH=${pkgs.busybox}/bin
    root=''${RUNTIME_MODULE_ROOT-}
    system=$(dirname "$(readlink -f "$0")")
    status=0
    mkdir -p "$root/etc" "$root/run"

    ${lib.concatMapStrings snippet ordered}
    # Last, so that the scripts above can still see the old link.
    ln -sfn "$system" "$root/run/current-system"
    exit $status
  '';
}
