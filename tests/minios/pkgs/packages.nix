# The packages of minios: `final` is what there is in the end, with all overlays.
final:
let
  kernel =
    version:
    final.runCommand "linux-${version}"
      {
        inherit version;
        passthru = {
          inherit version;
          modDirVersion = version;
        };
      }
      ''
        mkdir -p "$out/lib/modules/$version/kernel"
        echo "kernel $version of minios" > "$out/bzImage"
        for module in loop tun fuse; do
          echo "module $module of $version" > "$out/lib/modules/$version/kernel/$module.ko"
        done
      '';
in
{
  hello = final.writeShellScriptBin "hello" ''echo "Hello from minios."'';

  # Prints a line; with a name that other packages and services can be told apart by.
  greeter =
    final.runCommand "greeter-1.0"
      {
        meta.description = "Greets whoever it is told to";
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

  # A stand-in: what switches a system looks only at the interface version.
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
    kernel = kernel "6.1.0";
  };
  linuxPackages_next = {
    kernel = kernel "6.9.0";
  };

  aggregateModules =
    trees:
    final.buildEnv {
      name = "kernel-modules";
      paths = trees;
      pathsToLink = [ "lib/modules" ];
    };
}
