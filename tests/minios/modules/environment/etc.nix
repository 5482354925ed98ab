# Files in /etc: one folder in the store with all of them, and links to it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  entries = lib.filter (entry: entry.enable) (lib.attrValues config.environment.etc);

  # One line an entry: a tab is in no name.
  line =
    entry:
    lib.concatStringsSep "\t" [
      entry.target
      "${entry.source}"
      entry.mode
      entry.user
      entry.group
    ]
    + "\n";

  etc =
    pkgs.runCommand "etc"
      {
        entries = lib.concatMapStrings line entries;
        passAsFile = [ "entries" ];
      }
      ''
        mkdir -p "$out/etc"
        cd "$out/etc"
        while IFS="$(printf '\t')" read -r target source mode user group; do
          mkdir -p "$(dirname "$target")"
          if [ -e "$target" ] || [ -L "$target" ]; then
            echo "environment.etc has two entries for $target" >&2
            exit 1
          fi
          ln -s "$source" "$target"
          if [ "$mode" != symlink ]; then
            echo "$mode" > "$target.mode"
            echo "$user" > "$target.uid"
            echo "$group" > "$target.gid"
          fi
        done < "$entriesPath"
      '';
in
{
  options.environment.etc = mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, config, ... }:
        {
          options = {
            enable = mkOption {
              type = types.bool;
              default = true;
              description = "Whether the file is there.";
            };
            target = mkOption {
              type = types.strMatching "[^/\t\n][^\t\n]*";
              default = name;
              description = "Where the file is, relative to /etc.";
            };
            text = mkOption {
              type = types.nullOr types.lines;
              default = null;
              description = "What stands in the file.";
            };
            source = mkOption {
              type = types.path;
              description = "What the file is a link to, or a copy of.";
            };
            mode = mkOption {
              type = types.str;
              default = "symlink";
              example = "0600";
              description = "`symlink`, or the mode of a copy.";
            };
            user = mkOption {
              type = types.str;
              default = "0";
              description = "Whose the copy is.";
            };
            group = mkOption {
              type = types.str;
              default = "0";
              description = "The group of the copy.";
            };
          };
          config.source = lib.mkIf (config.text != null) (
            lib.mkDefault (pkgs.writeText "etc-${baseNameOf name}" config.text)
          );
        }
      )
    );
    default = { };
    description = "Files in /etc, by where they are.";
  };

  config.system = {
    build.etc = etc;
    activationScripts.etc = "etc=${etc}/etc\n" + builtins.readFile ../../activation/setup-etc.sh;
  };
}
