# A NixOS module that takes all packages from Debian's files, creates the paths that are compiled into Debian's programs,
# and disables the parts of NixOS that need other packages.
{
  archive,
  built,
  nixpkgs,
  suite,
}:
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  debian = import ./root.nix { inherit archive; };
  versions = (import ./versions.nix).${suite};
  systemd = config.systemd.package;
in
{
  nixpkgs.pkgs = import nixpkgs {
    localSystem.system = "x86_64-linux";
    config = { };
    overlays = [ (import ./packages { inherit built debian versions; }) ];
    stdenvStages = import ./stages.nix { inherit debian nixpkgs versions; };
  };

  # Debian's programs start other programs at these paths, and open files there.
  system.activationScripts.debianPaths = ''
    mkdir -p /bin /lib /usr/bin /usr/lib /usr/libexec /usr/local /usr/sbin /usr/share
    ln -sfn ${systemd}/bin /usr/local/sbin
    ln -sfn ${systemd}/lib/systemd /lib/systemd
    ln -sfn ${systemd}/lib/systemd /usr/lib/systemd
    ln -sfn ${debian}/usr/lib/openssh /usr/lib/openssh
    mkdir -p /usr/lib/locale
    ln -sfn ${debian}/usr/lib/locale/C.utf8 /usr/lib/locale/C.utf8
    ln -sfn ${config.i18n.glibcLocales}/lib/locale/locale-archive /usr/lib/locale/locale-archive
    ln -sfn ${debian}/usr/libexec/sudo /usr/libexec/sudo
    ln -sfn ${debian}/usr/share/zoneinfo /usr/share/zoneinfo
    ln -sfn ${pkgs.pam}/lib/security /lib/security
    # bookworm uses the first path, and trixie the second one.
    for program in mount umount; do ln -sfn ${pkgs.util-linux}/bin/$program /bin/$program; done
    for program in mount umount; do ln -sfn ${pkgs.util-linux}/bin/$program /usr/bin/$program; done
    ln -sfn ${debian}/usr/bin/dbus-broker /usr/bin/dbus-broker
    ln -sfn /run/wrappers/bin/unix_chkpwd /usr/sbin/unix_chkpwd
    for program in swapon swapoff; do ln -sfn ${pkgs.util-linux}/bin/$program /usr/sbin/$program; done
  '';

  # Debian's su is that of util-linux, which uses this name for login shells.
  environment.etc."pam.d/su-l".source = config.environment.etc."pam.d/su".source;

  # The folder that Debian's sshd changes its root to.
  systemd.tmpfiles.rules = [ "d /run/sshd 0755 root root -" ];

  # Each Debian suite has one version, and it differs from NixOS's default.
  services.postgresql.package = pkgs.postgresql;

  # Only the installation of Debian's package creates the default folders of Debian's nginx for temporary files.
  services.nginx.appendHttpConfig =
    lib.concatMapStrings (kind: "${kind}_temp_path /tmp/nginx_${kind};\n")
      [
        "client_body"
        "fastcgi"
        "proxy"
        "scgi"
        "uwsgi"
      ];

  # Some releases use the newer switch program, but cannot compile it without a git repository.
  system.switch = lib.optionalAttrs (
    options.system.switch ? enableNg && !builtins.pathExists "${built}/switch-to-configuration-ng"
  ) { enableNg = false; };

  # These parts need packages that are not in the overlay.
  boot.bcache.enable = false;
  # This file is made from the configuration of a kernel.
  environment.etc."sysctl.d/55-nixos-aslr-entropy.conf".enable = false;
  documentation.enable = false;
  documentation.man.enable = false;
  environment.defaultPackages = [ ];
  environment.stub-ld.enable = false;
  fonts.fontconfig.enable = false;
  networking.dhcpcd.enable = false;
  networking.resolvconf.enable = false;
  networking.useDHCP = false;
  programs.command-not-found.enable = false;
  programs.less.lessopen = null;
  services.logrotate.enable = false;
  services.nscd.enable = false;
  system.disableInstallerTools = true;
  system.nssModules = lib.mkForce [ ];
  systemd.coredump.enable = false;
  systemd.oomd.enable = false;
  systemd.shutdownRamfs.enable = false;
  xdg.autostart.enable = false;
  xdg.icons.enable = false;
  xdg.menus.enable = false;
  xdg.mime.enable = false;
  xdg.sounds.enable = false;

  # Debian's localedef builds this locale only.
  i18n.supportedLocales = [ "en_US.UTF-8/UTF-8" ];
}
