# systemd and udev, with upstream's units instead of Debian's where they differ.
{
  build,
  debian,
  final,
  prev,
  versions,
  ...
}:
let
  inherit (prev) lib;

  # Units that NixOS's modules name, but that Debian's systemd lacks, or has in another package. The replacements never
  # run, because no machine has the path of their condition.
  absentUnits = import ./absent-units.nix;
  absentUnit = name: ''
    if [ ! -e $out/example/systemd/system/${name} ]; then
      cat > $out/example/systemd/system/${name} <<'EOF'
    [Unit]
    Description=${name}, which Debian does not have
    ConditionPathExists=/nowhere
    DefaultDependencies=no
    ${lib.optionalString (lib.hasSuffix ".service" name) "[Service]\nType=oneshot\nExecStart=${final.coreutils}/bin/true"}
    ${lib.optionalString (lib.hasSuffix ".socket" name) "[Socket]\nListenStream=/run/${name}"}
    EOF
    fi
  '';
  # NixOS copies the links of this folder, so it must contain one.
  absentWants = name: ''
    if [ ! -e $out/example/systemd/system/${name} ]; then
      mkdir $out/example/systemd/system/${name}
      ln -s ../systemd-factory-reset-request.service $out/example/systemd/system/${name}/
    fi
  '';
  absent = name: if lib.hasSuffix ".wants" name then absentWants name else absentUnit name;

  systemd = build.fromDebian "systemd" {
    version = versions.systemd;
    mainProgram = "systemctl";
    more = ''
      put_all systemd systemd-sysv udev
      ln -s bin $out/sbin
      mkdir -p $out/lib/systemd $out/lib/security $out/example/systemd $out/share
      for file in ${debian}/usr/lib/systemd/*; do
        case ''${file##*/} in
          system | user | system-generators) ;;
          *) ln -s $file $out/lib/systemd/ ;;
        esac
      done
      # The generators of other packages start programs that only Debian has.
      mkdir $out/lib/systemd/system-generators
      ln -s ${debian}/usr/lib/systemd/system-generators/systemd-* $out/lib/systemd/system-generators/
      ln -s ${debian}/usr/lib/x86_64-linux-gnu/security/pam_systemd*.so $out/lib/security/
      ln -s ${debian}/usr/lib/x86_64-linux-gnu/libnss_*.so.2 $out/lib/
      for folder in udev modprobe.d; do ln -s ${debian}/usr/lib/$folder $out/lib/$folder; done
      for folder in dbus-1 factory; do ln -s ${debian}/usr/share/$folder $out/share/$folder; done

      # NixOS takes the units from this folder.
      cp -rP ${debian}/usr/lib/systemd/{system,user} $out/example/systemd/
      cp -rL ${debian}/usr/lib/{tmpfiles.d,sysctl.d,sysusers.d} $out/example/
      chmod -R u+w $out/example
      find $out/example/systemd -type l -lname "${debian}/*" | while read -r link; do
        ln -sfn "$(basename "$(readlink "$link")")" "$link"
      done
      # The commands of units get their paths here. Debian's condition for its own D-Bus packages is removed.
      start='\([=+!@:-]\)/\(usr/\)\?'
      find $out/example -type f -print0 | xargs -0 sed -i \
        -e "s,''${start}lib/systemd/,\1$out/lib/systemd/,g" \
        -e "s,''${start}s\?bin/\(systemctl\|journalctl\|udevadm\|systemd-[a-z-]*\|loginctl\|resolvectl\),\1$out/bin/\3,g" \
        -e "s,''${start}s\?bin/\(agetty\|sulogin\|mount\|umount\|fsck\|swapon\|swapoff\),\1${final.util-linux}/bin/\3,g" \
        -e "s,''${start}s\?bin/\(kmod\|modprobe\),\1${final.kmod}/bin/\3,g" \
        -e "s,''${start}bin/\(echo\|sleep\|true\),\1${final.coreutils}/bin/\3,g" \
        -e "s,^\(Exec[A-Za-z]*=[-+!@:|]*\)\(systemctl\|journalctl\|udevadm\|bootctl\|systemd-[a-z-]*\) ,\1$out/bin/\2 ," \
        -e "/^ConditionPathExists=|\/lib\/systemd\/system\/dbus/d"
      ${lib.concatMapStrings absent absentUnits}
    '';
    passthru = {
      interfaceVersion = 2;
      inherit (final) kbd kmod util-linux;
      withAnalyze = true;
      withBootloader = false;
      withCoredump = false;
      withCryptsetup = false;
      withEfi = false;
      withFido2 = false;
      withHomed = false;
      withHostnamed = true;
      withImportd = false;
      withKmod = true;
      withLocaled = true;
      withLogind = true;
      withMachined = false;
      withNetworkd = true;
      withNspawn = false;
      withNss = true;
      withOomd = true;
      withPam = true;
      withPortabled = false;
      withRemote = false;
      withRepart = false;
      withResolved = false;
      withSysupdate = false;
      withSysusers = true;
      withTimedated = true;
      withTimesyncd = true;
      withTpm2Tss = false;
      withTpm2Units = false;
      withUtmp = true;
    };
  };
in
{
  inherit systemd;
  systemdMinimal = systemd;
  systemdLibs = systemd;
  systemd-minimal = systemd;
  udev = systemd;
  libudev = systemd;
}
