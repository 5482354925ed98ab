# Packages without programs: time zones, certificates, locales and tables.
{
  build,
  debian,
  final,
  ...
}:
let
  linked = name: more: build.fromDebian name { inherit more; };
  cacert = build.fromDebian "cacert" {
    more = ''
      mkdir -p $out/etc/ssl/certs
      cp -L ${debian}/etc/ssl/certs/ca-certificates.crt $out/etc/ssl/certs/ca-bundle.crt
    '';
    passthru = {
      unbundled = cacert;
      p11kit = cacert;
      hashed = cacert;
    };
  };
in
{
  inherit cacert;
  tzdata = linked "tzdata" ''
    mkdir -p $out/share
    ln -s ${debian}/usr/share/zoneinfo $out/share/zoneinfo
  '';
  iana-etc = linked "iana-etc" ''
    mkdir $out/etc
    ln -s ${debian}/etc/{protocols,services} $out/etc/
  '';
  mailcap = linked "mailcap" ''
    mkdir -p $out/etc/nginx
    ln -s ${debian}/etc/mime.types $out/etc/
    ln -s ${debian}/etc/nginx/mime.types $out/etc/nginx/
  '';
  bash-completion = linked "bash-completion" ''
    mkdir -p $out/share $out/etc/profile.d
    ln -s ${debian}/usr/share/bash-completion $out/share/
    ln -s ${debian}/usr/share/bash-completion/bash_completion $out/etc/profile.d/bash_completion.sh
  '';
  glibcLocales = linked "glibc-locales" ''
    mkdir -p $out/lib/locale usr/lib/locale
    localedef --no-archive -i en_US -f UTF-8 "$PWD/en_US.utf8"
    localedef --prefix="$PWD" --add-to-archive "$PWD/en_US.utf8"
    cp usr/lib/locale/locale-archive $out/lib/locale/
  '';
  glibcLocalesUtf8 = final.glibcLocales;
}
