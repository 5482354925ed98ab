# The C library, and packages that NixOS's setuid wrappers are compiled with.
{
  build,
  debian,
  final,
  prev,
  ...
}:
let
  glibc = build.asPackage prev.stdenv.cc.libc { };
in
{
  inherit glibc;
  libxcrypt = prev.libxcrypt // {
    out = glibc;
    inherit (glibc) outPath;
  };
  # nixpkgs links the wrappers to musl, with the compiler of another package set.
  pkgsStatic = final;
  # The wrappers include one header of glibc's sources.
  srcOnly =
    arguments:
    if (arguments.pname or arguments.name or "") == "glibc" then
      final.runCommand "glibc-source" { } ''
        mkdir -p $out
        cp ${./unsecvars.h} $out/unsecvars.h
      ''
    else
      prev.srcOnly arguments;
  linuxHeaders = final.runCommand "linux-headers" { } ''
    mkdir -p $out
    ln -s ${debian}/usr/include $out/include
  '';
}
