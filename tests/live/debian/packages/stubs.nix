# Packages that modules name, and thereby evaluate, but that no system of the tests contains.
{
  build,
  final,
  prev,
  ...
}:
prev.lib.genAttrs [
  "bcache-tools"
  "fish"
  "kexec-tools"
  "man-db"
  "nix-bash-completions"
  "openresty"
  "tengine"
  "xonsh"
  "zsh"
] build.empty
// {
  # Scripts of modules are checked with it while they are built.
  shellcheck = build.fromDebian "shellcheck" {
    more = "put true shellcheck";
    passthru = {
      compiler = final.stdenvNoCC // {
        bootstrapAvailable = true;
      };
      unwrapped = final.shellcheck;
    };
  };
  shellcheck-minimal = final.shellcheck;
  # auditctl runs in the activation scripts of some releases.
  audit = build.fromDebian "audit" { more = "put true auditctl"; };
  # NixOS's module for setuid wrappers refers to this package.
  fuse = build.fromDebian "fuse" { more = "put fusermount3 fusermount"; };
  xauth = build.fromDebian "xauth" { programs = [ "xauth" ]; };
  xorg = prev.xorg // {
    inherit (final) lndir xauth;
  };
}
