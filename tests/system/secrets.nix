# Imitates sops-nix and agenix: activation scripts decrypt secrets into a new generation in a folder in /run, and then
# point a link to it. A changed secret restarts its readers. The encryption here is a letter rotation.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  # Creates the next generation, moves the link to it when it is complete, and then removes the previous one.
  install =
    {
      link,
      folder,
      secrets,
      units ? "",
    }:
    ''
      old=$(readlink "${link}" || true)
      number=$(( $(basename "''${old:-0}") + 1 ))
      new=${folder}/$number
      mkdir -p "$new"
      chmod 0751 "$new"
      ${lib.concatStrings (
        lib.mapAttrsToList (name: cipher: ''
          (
          umask 077
          printf '%s' ${lib.escapeShellArg cipher} | tr 'A-Za-z' 'N-ZA-Mn-za-m' > "$new/${name}"
          )
          chmod 0400 "$new/${name}"
        '') secrets
      )}
      ${units}
      ln -sfn "$new" "${link}"
      if [ -n "$old" ]; then rm -rf "$old"; fi
    '';

  secrets = lib.mkOption {
    type = lib.types.attrsOf lib.types.str;
    default = { };
    description = "Encrypted secrets, by name.";
  };
in
{
  options.sops.secrets = secrets;
  options.age.secrets = secrets;

  config = {
    sops.secrets.database = "cnffjbeq";
    age.secrets.mail = "yrggre";

    system.activationScripts = {
      # sops-nix requests a restart of the readers of changed secrets.
      setupSecrets = {
        deps = [
          "etc"
          "users"
        ];
        text = install {
          link = "/run/secrets";
          folder = "/run/secrets.d";
          inherit (config.sops) secrets;
          units = ''
            if [ -n "$old" ] && ! cmp -s "$old/database" "$new/database"; then
              mkdir -p /run/nixos
              echo reader.service >> /run/nixos/activation-restart-list
            fi
          '';
        };
      };
      agenixInstall = {
        deps = [
          "etc"
          "users"
        ];
        text = install {
          link = "/run/agenix";
          folder = "/run/agenix.d";
          inherit (config.age) secrets;
        };
      };
    };

    systemd.services.reader = {
      description = "Reader of the secrets";
      wantedBy = [ "multi-user.target" ];
      script = ''
        cat /run/secrets/database /run/agenix/mail > /run/reader
        while sleep 60; do :; done
      '';
    };
  };
}
