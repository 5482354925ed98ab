# Users and groups: an activation adds missing ones, and never removes any.
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
              description = "The group ID.";
            };
            members = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "The names of the group's members.";
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
              description = "The user ID.";
            };
            gid = mkOption {
              type = types.ints.unsigned;
              description = "The ID of the user's primary group.";
            };
            description = mkOption {
              type = types.strMatching "[^:\n]*";
              default = "";
              description = "The description of the user.";
            };
            home = mkOption {
              type = types.str;
              default = "/var/empty";
              description = "The user's home folder.";
            };
            shell = mkOption {
              type = types.str;
              default = "/bin/sh";
              description = "The user's login shell.";
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
