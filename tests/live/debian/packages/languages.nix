# Interpreters. Debian's packages of modules are all installed, so the lists of modules have no effect.
{
  build,
  final,
  versions,
  ...
}:
{
  perl = build.fromDebian "perl" {
    version = versions.perl;
    programs = [ "perl" ];
    passthru = {
      withPackages = _: final.perl;
      pkgs = final.perlPackages;
      libPrefix = "lib/perl5/site_perl";
      perlOnBuild = final.perl;
      interpreter = "${final.perl}/bin/perl";
    };
  };
  python3 = build.fromDebian "python3" {
    version = versions.python;
    programs = [ "python3" ];
    passthru = {
      withPackages = _: final.python3;
      pkgs = final.python3Packages;
      interpreter = "${final.python3}/bin/python3";
      pythonVersion = versions.python;
    };
  };
}
