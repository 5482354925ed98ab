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

  # One line for each entry. A tab separates the fields, because names contain no tabs.
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
              description = "Whether to create the file.";
            };
            target = mkOption {
              type = types.strMatching "[^/\t\n][^\t\n]*";
              default = name;
              description = "The path of the file, relative to /etc.";
            };
            text = mkOption {
              type = types.nullOr types.lines;
              default = null;
              description = "The content of the file.";
            };
            source = mkOption {
              type = types.path;
              description = "The source of the link or copy.";
            };
            mode = mkOption {
              type = types.str;
              default = "symlink";
              example = "0600";
              description = "`symlink`, or the mode of the copy.";
            };
            user = mkOption {
              type = types.str;
              default = "0";
              description = "The owner of the copy.";
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
    description = "Files in /etc, by path.";
  };

  config.system = {
    build.etc = etc;
    activationScripts.etc = "etc=${etc}/etc\n" + builtins.readFile ../../activation/setup-etc.sh;
  };
}
