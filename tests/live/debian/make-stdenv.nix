# A stdenv whose tools are Debian's. `pkgs` are the packages of the stage before it.
{ debian, versions }:
pkgs:
let
  inherit (pkgs) config lib;
  # The function for stdenvs takes another argument first in newer releases.
  imported = import (pkgs.path + "/pkgs/stdenv/generic");
  generic =
    if lib.functionArgs imported ? defaultConfig then
      imported { defaultConfig = config; }
    else
      imported;
  platform = pkgs.stdenv.hostPlatform;
  libraries = "${debian}/usr/lib/x86_64-linux-gnu";

  stdenvWith =
    cc:
    generic {
      name = "stdenv-debian";
      buildPlatform = platform;
      hostPlatform = platform;
      targetPlatform = platform;
      inherit config;
      shell = "${debian}/usr/bin/bash";
      initialPath = [
        "${debian}/wrapped"
        "${debian}/usr"
      ];
      fetchurlBoot = pkgs.fetchurl;
      preHook = "export NIX_ENFORCE_PURITY=";
      inherit cc;
    };
  stdenvNoCC = stdenvWith null;

  libc = stdenvNoCC.mkDerivation {
    pname = "glibc";
    version = versions.glibc;
    buildCommand = ''
      mkdir -p $out/bin $out/share
      for name in getent getconf locale ldd iconv; do
        ln -s ${debian}/usr/bin/$name $out/bin/
      done
      # NixOS's script for users runs nscd, which Debian trixie does not have.
      for nscd in ${debian}/usr/sbin/nscd ${debian}/usr/bin/true; do
        [ -e $out/bin/nscd ] || [ ! -e $nscd ] || ln -s $nscd $out/bin/nscd
      done
      ln -s ${debian}/wrapped/bin/localedef $out/bin/
      ln -s ${libraries} $out/lib
      ln -s ${debian}/usr/share/i18n $out/share/i18n
      ln -s ${debian}/usr/include $out/include
    '';
  };

  compiler = stdenvNoCC.mkDerivation {
    name = "cc-debian";
    buildCommand = ''
      mkdir -p $out/bin $out/nix-support
      ln -s ${debian}/wrapped/bin/{cc,gcc} $out/bin/
      for tool in ar as ld nm objcopy objdump ranlib strip; do
        ln -s ${debian}/usr/bin/$tool $out/bin/
      done
      echo 'export CC=cc AR=ar LD=ld STRIP=strip RANLIB=ranlib OBJCOPY=objcopy' > $out/nix-support/setup-hook
    '';
  };

  # The attributes of nixpkgs' cc-wrapper that nixpkgs reads.
  cc = compiler // {
    targetPrefix = "";
    isGNU = true;
    isClang = false;
    nativeTools = false;
    nativeLibc = false;
    inherit libc;
    bintools = {
      outPath = "${debian}/usr";
      dynamicLinker = "${libraries}/ld-linux-x86-64.so.2";
      targetPrefix = "";
      inherit libc;
      bintools = "${debian}/usr";
      isGNU = true;
    };
    cc = stdenvNoCC // {
      version = versions.gcc;
    };
    version = versions.gcc;
  };
in
stdenvWith cc
