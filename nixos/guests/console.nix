# The serial console of a guest: an automatic login, or root's password.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.guests;
  inherit (lib) mkOption types;
  serial = if pkgs.stdenv.hostPlatform.isAarch64 then "ttyAMA0" else "ttyS0";
  getty = config.services.getty;
in
{
  options.guests = {
    consolePassword = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "root";
      description = ''
        Root's password. Anyone who can read the store can read this password.

        If this option is null, root has no password. In a guest, root is then logged in automatically on the serial
        consoles. Only users who control the guest on its host can reach these consoles.
      '';
    };
    consoles = mkOption {
      type = types.listOf types.str;
      default = [
        serial
        "hvc0"
      ];
      defaultText = lib.literalExpression ''[ "ttyS0" "hvc0" ]'';
      example = [ "ttyS0" ];
      description = ''
        The serial consoles of a guest. The kernel prints its messages on all of them. The last console in the list is
        also /dev/console.
      '';
    };
  };

  config = lib.mkMerge [
    (lib.mkIf (cfg.consolePassword != null) {
      users.users.root.password = lib.mkDefault cfg.consolePassword;
    })
    (lib.mkIf cfg.isGuest {
      boot.kernelParams = map (
        console: "console=${console}${lib.optionalString (lib.hasPrefix "ttyS" console) ",115200"}"
      ) cfg.consoles;
      # Without a password, root can still log in on the console or with a key.
      users.allowNoPasswordLogin = lib.mkDefault true;
    })
    (lib.mkIf (cfg.isGuest && cfg.consolePassword == null) {
      # systemd's generator starts the console's getty. Log root in on the serial consoles only, not on the virtual
      # terminals.
      systemd.services = lib.listToAttrs (
        map (
          console:
          lib.nameValuePair "serial-getty@${console}" {
            overrideStrategy = "asDropin";
            restartIfChanged = false;
            serviceConfig.ExecStart = [
              ""
              "${lib.getExe' pkgs.util-linux "agetty"} --login-program ${getty.loginProgram} --autologin root --keep-baud %I 115200,57600,38400,9600 $TERM"
            ];
          }
        ) cfg.consoles
      );
    })
  ];
}
