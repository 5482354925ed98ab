# Imitates Home Manager as a NixOS module: a oneshot service for each user, run as that user, that links the files of a
# generation into the home and removes the links of the previous generation.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  files = pkgs.runCommand "home-manager-files" { } (
    "mkdir -p $out\n"
    + lib.concatStrings (
      lib.mapAttrsToList (name: text: ''
        mkdir -p "$(dirname "$out/${name}")"
        printf '%s' ${lib.escapeShellArg text} > "$out/${name}"
      '') config.home.files
    )
  );

  activate = pkgs.writeShellScript "home-manager-generation" ''
    set -eu
    profile=$HOME/.local/state/home-manager/generation
    mkdir -p "$(dirname "$profile")"
    old=$(readlink "$profile" || true)
    if [ -n "$old" ]; then
      (cd "$old" && find . -type f) | while read -r name; do
        if [ ! -e "${files}/$name" ]; then rm -f "$HOME/$name"; fi
      done
    fi
    (cd ${files} && find . -type f) | while read -r name; do
      mkdir -p "$(dirname "$HOME/$name")"
      ln -sfn "${files}/$name" "$HOME/$name"
    done
    ln -sfn ${files} "$profile"
  '';
in
{
  options.home.files = lib.mkOption {
    type = lib.types.attrsOf lib.types.str;
    default = { };
    description = "Files in alice's home.";
  };

  config = {
    home.files.".config/greeting" = lib.mkDefault "good day\n";
    systemd.services.home-manager-alice = {
      description = "Home Manager environment for alice";
      wantedBy = [ "multi-user.target" ];
      before = [ "systemd-user-sessions.service" ];
      stopIfChanged = false;
      unitConfig.RequiresMountsFor = "/home/alice";
      serviceConfig = {
        User = "alice";
        Type = "oneshot";
        RemainAfterExit = true;
        TimeoutStartSec = "5m";
        SyslogIdentifier = "hm-activate-alice";
        ExecStart = toString activate;
      };
    };
  };
}
