# Debian's files as one store path that needs nothing outside of the store. Only this derivation is built by tools of the
# machine (sh, tar, python3). All others are built by the programs in its output.
{
  # A folder with `debian.tar`, made by debian.py.
  archive,
  system ? "x86_64-linux",
}:
derivation {
  name = "debian";
  inherit archive system;
  builder = "/bin/sh";
  args = [
    "-c"
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin exec python3 ${./relocate.py}"
  ];
}
