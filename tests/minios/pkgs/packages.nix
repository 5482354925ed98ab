# The packages of minios; `final` is the set with all overlays.
final:
let
  # A fake kernel with the lists of modules that a real kernel package has: modules in files, built-in modules, and
  # aliases.
  kernel =
    version: more:
    final.runCommand "linux-${version}"
      {
        inherit version;
        modules = [
          "drivers/block/loop"
          "drivers/net/tun"
          "fs/fuse/fuse"
          "net/bridge/br_netfilter"
          "sound/pci/hda/snd-hda-intel"
        ]
        ++ more;
        passthru = {
          inherit version;
          modDirVersion = version;
        };
      }
      ''
        tree=$out/lib/modules/$version
        mkdir -p "$tree"
        echo "kernel $version of minios" > "$out/bzImage"
        for module in $modules; do
          mkdir -p "$(dirname "$tree/kernel/$module")"
          echo "module $module of $version" > "$tree/kernel/$module.ko.xz"
          case $module in
            */br_netfilter) needs=" kernel/drivers/net/tun.ko.xz" ;;
            *) needs= ;;
          esac
          echo "kernel/$module.ko.xz:$needs" >> "$tree/modules.dep"
        done
        printf 'kernel/%s.ko\n' fs/ext4/ext4 crypto/crc32c_generic > "$tree/modules.builtin"
        cat > "$tree/modules.alias" <<EOF
        # Aliases extracted from modules themselves.
        alias char-major-10-200 tun
        alias fs-fuse fuse
        alias pci:v00008086d0000A170sv*sd*bc*sc*i* snd_hda_intel
        EOF
      '';
in
{
  hello = final.writeShellScriptBin "hello" ''echo "Hello from minios."'';

  # Greets the person in its argument.
  greeter =
    final.runCommand "greeter-1.0"
      {
        meta.description = "Prints a greeting";
      }
      ''
        mkdir -p "$out/bin"
        cat > "$out/bin/greet" <<EOF
        #!${final.busybox}/bin/sh
        echo "Greetings, \''${1:-stranger}."
        EOF
        chmod +x "$out/bin/greet"
      '';

  unfree-thing =
    final.runCommand "unfree-thing-1.0"
      {
        meta = {
          pname = "unfree-thing";
          license = {
            shortName = "unfree";
            free = false;
          };
        };
      }
      ''
        mkdir -p "$out/bin"
        printf '#!%s\necho "not free"\n' "${final.busybox}/bin/sh" > "$out/bin/unfree-thing"
        chmod +x "$out/bin/unfree-thing"
      '';

  insecure-thing =
    final.runCommand "insecure-thing-1.0"
      {
        meta.knownVulnerabilities = [ "CVE-2024-0001: anyone may come in" ];
      }
      ''
        mkdir -p "$out/bin"
        printf '#!%s\necho "not safe"\n' "${final.busybox}/bin/sh" > "$out/bin/insecure-thing"
        chmod +x "$out/bin/insecure-thing"
      '';

  # A fake systemd: minios reads only its interface version.
  systemd =
    final.runCommand "systemd-255"
      {
        passthru.interfaceVersion = 2;
      }
      ''
        mkdir -p "$out/lib/systemd"
        echo "the init of minios is the machine's own" > "$out/lib/systemd/systemd"
      '';

  firmware = final.runCommand "firmware-1" { } ''
    mkdir -p "$out/lib/firmware"
    echo "firmware of minios" > "$out/lib/firmware/minios.bin"
  '';

  linuxPackages = {
    kernel = kernel "6.1.0" [ ];
  };
  linuxPackages_next = {
    kernel = kernel "6.9.0" [ "drivers/misc/ntsync" ];
  };

  aggregateModules =
    trees:
    final.buildEnv {
      name = "kernel-modules";
      paths = trees;
      pathsToLink = [ "lib/modules" ];
    };
}
