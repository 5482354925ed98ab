# Functions that make packages.
{
  debian,
  final,
  prev,
}:
let
  inherit (prev) lib;

  # Names of outputs and of parts that modules select.
  outputs = [
    "out"
    "bin"
    "dev"
    "lib"
    "man"
    "doc"
    "info"
    "devdoc"
    "su"
    "mount"
    "swap"
    "login"
    "nss"
    "static"
  ]
  ++ [
    "daemon"
    "terminfo"
    "nscd"
    "getent"
    "lastlog"
  ];
in
rec {
  # Gives a derivation the interface of a package of nixpkgs: every output is the derivation itself, and overriding changes nothing.
  asPackage =
    drv: passthru:
    let
      self =
        drv
        // lib.genAttrs outputs (_: self)
        // {
          override = _: self;
          overrideAttrs = _: self;
          overrideDerivation = _: self;
          outputs = [ "out" ];
          inherit passthru;
        }
        // passthru;
    in
    self;

  # A package of Debian's programs. `more` is a script that adds other files; `put` links one more program, and
  # `put_all` all programs of Debian packages.
  fromDebian =
    name:
    {
      programs ? [ ],
      more ? "",
      version ? "1",
      mainProgram ? name,
      passthru ? { },
    }:
    asPackage (final.stdenvNoCC.mkDerivation {
      pname = name;
      inherit version;
      preferLocalBuild = true;
      allowSubstitutes = false;
      dontFixup = true;
      buildCommand = ''
        mkdir -p $out/bin
        put() { # PROGRAM [NAME]
          for folder in wrapped/bin usr/bin usr/sbin; do
            if [ -e ${debian}/$folder/$1 ]; then
              ln -sfn ${debian}/$folder/$1 $out/bin/''${2:-$1}
              return
            fi
          done
          echo "Debian has no program $1"
          return 1
        }
        put_all() { # DEBIAN-PACKAGE...
          for list in "$@"; do
            for program in $(sed -n 's,^/\(usr/\)\?s\?bin/,,p' ${debian}/lists/$list); do
              put $program
            done
          done
        }
        for program in ${toString programs}; do put $program; done
        ${more}
      '';
      meta = {
        inherit mainProgram;
        outputsToInstall = [ "out" ];
        license = [ ];
        platforms = lib.platforms.linux;
      };
    }) passthru;

  # A package that nothing uses, but that nixpkgs evaluates, for example to compare it with another one.
  empty = name: fromDebian name { };
}
