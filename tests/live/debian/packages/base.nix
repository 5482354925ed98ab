# The programs of every NixOS: shell, coreutils, util-linux, accounts and D-Bus.
{
  build,
  debian,
  prev,
  ...
}:
let
  bash = build.fromDebian "bash" {
    version = "5.2";
    programs = [ "bash" ];
    more = "put bash sh";
    passthru.shellPath = "/bin/bash";
  };
  coreutils = build.fromDebian "coreutils" {
    version = "9.1";
    more = "put_all coreutils";
  };
  util-linux = build.fromDebian "util-linux" {
    version = "2.38.1";
    more = ''
      put_all util-linux util-linux-extra mount bsdutils fdisk eject
      put login
      put nologin
      put su
      ln -s bin $out/sbin
      # Debian bookworm does not have this part.
      if [ -e ${debian}/usr/bin/lastlog2 ]; then
        put lastlog2
        mkdir -p $out/lib/{security,systemd/system,tmpfiles.d}
        ln -s ${debian}/usr/lib/x86_64-linux-gnu/security/pam_lastlog2.so $out/lib/security/
        ln -s ${debian}/usr/lib/tmpfiles.d/lastlog2-tmpfiles.conf $out/lib/tmpfiles.d/
        sed "s,/usr/bin/,$out/bin/,g" ${debian}/usr/lib/systemd/system/lastlog2-import.service \
          > $out/lib/systemd/system/lastlog2-import.service
      fi
    '';
    passthru.withLogin = true;
  };
  pam = build.fromDebian "linux-pam" {
    programs = [
      "unix_chkpwd"
      "mkhomedir_helper"
    ];
    more = ''
      mkdir -p $out/lib
      ln -s ${debian}/usr/lib/x86_64-linux-gnu/security $out/lib/security
    '';
  };
in
{
  inherit
    bash
    coreutils
    pam
    util-linux
    ;
  bashInteractive = bash;
  bashInteractiveFHS = bash;
  bashNonInteractive = bash;
  runtimeShell = "${bash}/bin/bash";
  runtimeShellPackage = bash;
  coreutils-full = coreutils;
  util-linuxMinimal = util-linux;
  linux-pam = pam;

  # Debian has no `awk` without its alternatives system.
  gawk = build.fromDebian "gawk" {
    programs = [ "gawk" ];
    more = "put gawk awk";
  };
  netcat = build.fromDebian "netcat" { more = "put nc.openbsd nc"; };
  unixtools = prev.unixtools // {
    hostname = build.fromDebian "hostname" { programs = [ "hostname" ]; };
  };

  kmod = build.fromDebian "kmod" { more = "put_all kmod"; };

  shadow = build.fromDebian "shadow" {
    version = "4.13";
    more = ''
      put_all login passwd uidmap
      put su
      put nologin
    '';
    passthru.shellPath = "/bin/nologin";
  };

  sudo = build.fromDebian "sudo" {
    programs = [
      "sudo"
      "visudo"
    ];
    more = ''
      ln -s sudo $out/bin/sudoedit
      ln -s bin $out/sbin
    '';
  };

  dbus = build.fromDebian "dbus" {
    version = "1.14.10";
    programs = [
      "dbus-daemon"
      "dbus-send"
      "dbus-monitor"
      "dbus-uuidgen"
      "dbus-run-session"
    ]
    ++ [ "dbus-update-activation-environment" ];
    more = ''
      mkdir -p $out/libexec $out/share $out/lib/systemd/{system,user}
      ln -s ${debian}/usr/lib/dbus-1.0/dbus-daemon-launch-helper $out/libexec/
      ln -s ${debian}/usr/share/dbus-1 $out/share/dbus-1
      cp -P ${debian}/usr/lib/systemd/system/dbus.{service,socket} $out/lib/systemd/system/
      cp -P ${debian}/usr/lib/systemd/user/dbus.{service,socket} $out/lib/systemd/user/
      chmod u+w $out/lib/systemd/*/*
      # Debian's programs read their configuration from /usr/share unless told otherwise.
      sed -i -e "s,/usr/bin/,$out/bin/,g" -e "/^ExecStart=/s,--\(system\|session\),--config-file=/etc/dbus-1/\1.conf," \
        $out/lib/systemd/*/dbus.service
      mkdir -p $out/lib/systemd/{system/multi-user.target.wants,system/sockets.target.wants,user/sockets.target.wants}
      ln -s ../dbus.service $out/lib/systemd/system/multi-user.target.wants/
      ln -s ../dbus.socket $out/lib/systemd/system/sockets.target.wants/
      ln -s ../dbus.socket $out/lib/systemd/user/sockets.target.wants/
    '';
  };

  # Debian bookworm is installed without this package, and its NixOS does not use it.
  dbus-broker = build.fromDebian "dbus-broker" {
    programs = [
      "dbus-broker"
      "dbus-broker-launch"
    ];
    more = ''
      for scope in system user; do
        case $scope in system) bus=system ;; user) bus=session ;; esac
        mkdir -p $out/lib/systemd/$scope
        sed -e "s,/usr/bin/,$out/bin/,g" -e "/^ExecStart=/s,--scope,--config-file=/etc/dbus-1/$bus.conf &," \
          ${debian}/usr/lib/systemd/$scope/dbus-broker.service > $out/lib/systemd/$scope/dbus-broker.service
      done
    '';
  };
}
