# What is done to a machine when the system becomes the running one, before units are looked at.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  scripts = config.system.activationScripts;

  # Each after those that it depends on, and else by name.
  visit =
    done: name:
    if lib.elem name done then done else lib.foldl' visit done scripts.${name}.deps ++ [ name ];
  ordered = lib.foldl' visit [ ] (lib.attrNames scripts);

  # A snippet that fails is reported, and those after it run all the same.
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
              description = "A shell script. `$root` is what stands before every absolute path.";
            };
            deps = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "The names of scripts that run before this one.";
            };
          };
        }
      )
    );
    default = { };
    description = "Scripts that are run on activation, by name.";
  };

  config.system.build.activate = pkgs.writeScript "activate" ''
    #!${pkgs.busybox}/bin/sh
    # Makes the machine look like the system that this script is in.
    export PATH=${pkgs.busybox}/bin
    root=''${RUNTIME_MODULE_ROOT-}
    system=$(dirname "$(readlink -f "$0")")
    status=0
    mkdir -p "$root/etc" "$root/run"

    ${lib.concatMapStrings snippet ordered}
    # Last, so that what runs before can still see what was.
    ln -sfn "$system" "$root/run/current-system"
    exit $status
  '';
}
