# The program, the nix command and the Rust programs of NixOS, as built on the machine, together with the libraries that they are linked to. The
# folder `built` is made by binaries.py.
{
  build,
  built,
  debian,
  ...
}:
let
  libraries = "${debian}/usr/lib/x86_64-linux-gnu";
  copied =
    name: version: source: files: more:
    build.fromDebian name {
      inherit version;
      more = ''
        # Not in lib: the profile would link to the libraries of both packages.
        own=$out/libexec/libraries
        mkdir -p $own
        cp ${built}/lib/* $own/
        for file in ${toString files}; do
          mkdir -p $out/$(dirname $file)
          cp ${source}/$file $out/$file
        done
        chmod -R u+w $out
        for file in $(find $out -type f); do
          patchelf --force-rpath --set-rpath $own:${libraries} $file
          case $file in
            $own/*) ;;
            *) patchelf --set-interpreter ${libraries}/ld-linux-x86-64.so.2 $file ;;
          esac
        done
        ${more}
      '';
    };
  program = [
    "bin/runtime-module"
    "libexec/runtime-module-nix"
  ];
in
{
  # The layout of package.nix, without completions and manual pages.
  runtime-module = copied "runtime-module" "0.1.0" built program "";

  # A build that can inject faults. The host does not contain it.
  runtime-module-faulty = copied "runtime-module-faulty" "0.1.0" "${built}/faulty" program "";

  # compiled.py compiles these two, for the releases that use them.
  switch-to-configuration-ng =
    copied "switch-to-configuration" "0.1.0" "${built}/switch-to-configuration-ng"
      [ "bin/switch-to-configuration" ]
      "";
  nixos-init = copied "nixos-init" "0.1.0" "${built}/nixos-init" [ "bin/nixos-init" ] ''
    for name in initrd-init find-etc clear-etc-opaque resolve-in-root env-generator; do
      ln -s nixos-init $out/bin/$name
    done
  '';

  nix = copied "nix" "2.26.3" built [ "bin/nix" ] ''
    for name in build channel collect-garbage copy-closure daemon env instantiate store; do
      ln -s nix $out/bin/nix-$name
    done
    mkdir -p $out/lib/systemd/system $out/lib/tmpfiles.d
    echo 'd /nix/var/nix/daemon-socket 0755 root root - -' > $out/lib/tmpfiles.d/nix-daemon.conf
    for unit in ${./nix-daemon}/*; do
      substitute $unit $out/lib/systemd/system/''${unit##*/} --subst-var out
    done
  '';
}
