# Users and groups, as far as there are any: an activation adds those that are missing, and never removes one.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.users;

  groupLine =
    name: group: "${name}:x:${toString group.gid}:${lib.concatStringsSep "," group.members}";
  userLine =
    name: user:
    "${name}:x:${toString user.uid}:${toString user.gid}:${user.description}:${user.home}:${user.shell}";

  add = file: name: line: ''
    grep -qs ${lib.escapeShellArg "^${name}:"} "$root/etc/${file}" ||
      echo ${lib.escapeShellArg line} >> "$root/etc/${file}"
  '';
in
{
  options.users = {
    groups = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            gid = mkOption {
              type = types.ints.unsigned;
              description = "The number of the group.";
            };
            members = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "The names of users who are in the group.";
            };
          };
        }
      );
      default = { };
      description = "Groups, by name.";
    };
    users = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            uid = mkOption {
              type = types.ints.unsigned;
              description = "The number of the user.";
            };
            gid = mkOption {
              type = types.ints.unsigned;
              description = "The number of the user's own group.";
            };
            description = mkOption {
              type = types.strMatching "[^:\n]*";
              default = "";
              description = "Who the user is.";
            };
            home = mkOption {
              type = types.str;
              default = "/var/empty";
              description = "The user's folder.";
            };
            shell = mkOption {
              type = types.str;
              default = "/bin/sh";
              description = "The program that a login starts.";
            };
          };
        }
      );
      default = { };
      description = "Users, by name.";
    };
  };

  config.system.activationScripts.users = {
    deps = [ "etc" ];
    text = ''
      echo "setting up users..."
      ${lib.concatStrings (
        lib.mapAttrsToList (name: group: add "group" name (groupLine name group)) cfg.groups
      )}
      ${lib.concatStrings (
        lib.mapAttrsToList (name: user: add "passwd" name (userLine name user)) cfg.users
      )}
    '';
  };
}
