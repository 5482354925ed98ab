# The services that the tests enable.
{
  build,
  debian,
  final,
  prev,
  versions,
  ...
}:
let
  nginx = build.fromDebian "nginx" {
    version = versions.nginx;
    programs = [ "nginx" ];
    more = ''
      mkdir $out/conf
      ln -s ${debian}/etc/nginx/{mime.types,fastcgi.conf,fastcgi_params,uwsgi_params,scgi_params} $out/conf/
    '';
    passthru.modules = [ ];
  };

  # PostgreSQL finds its files relative to the program that was started, so a link to the program suffices.
  postgresql = build.fromDebian "postgresql" {
    version = "${versions.postgresql}.1";
    more = ''
      for program in ${debian}/usr/lib/postgresql/${versions.postgresql}/bin/*; do
        ln -s $program $out/bin/
      done
      mkdir -p $out/share/postgresql
    '';
    passthru = {
      psqlSchema = versions.postgresql;
      withJIT = postgresql;
      withoutJIT = postgresql;
      withPackages = _: postgresql;
      pkgs = { };
      installedExtensions = [ ];
    };
  };
in
{
  inherit nginx postgresql;
  nginxStable = nginx;
  nginxMainline = nginx;
  "postgresql_${versions.postgresql}" = postgresql;

  openssh = build.fromDebian "openssh" {
    version = versions.openssh;
    mainProgram = "ssh";
    programs = [
      "ssh"
      "scp"
      "sftp"
      "ssh-add"
      "ssh-agent"
      "ssh-keygen"
      "ssh-keyscan"
    ];
    # NixOS checks the configuration with `sshd -G` during the build. Debian bookworm's sshd does not have this option.
    more = ''
      cat > $out/bin/sshd <<'EOF'
      #!${final.bash}/bin/sh
      if [ "$1" = -G ] && ! ${debian}/usr/sbin/sshd -? 2>&1 | grep -q G; then exit 0; fi
      exec -a "$0" ${debian}/usr/sbin/sshd "$@"
      EOF
      chmod +x $out/bin/sshd
      mkdir -p $out/libexec
      for program in sftp-server sshd-session sshd-auth; do
        [ ! -e ${debian}/usr/lib/openssh/$program ] || ln -s ${debian}/usr/lib/openssh/$program $out/libexec/
      done
    '';
  };

  # The check of nginx's configuration needs a program that is not packaged here.
  writers = prev.writers // {
    writeNginxConfig = final.writeText;
  };
}
