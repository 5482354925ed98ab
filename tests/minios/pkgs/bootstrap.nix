# The only prebuilt file: a static busybox, which is the shell, coreutils and web server of minios.
#
# It is not part of the repository: copy one to `tests/minios/busybox`.
let
  file = ../busybox;
in
if builtins.pathExists file then
  # In a separate folder, because busybox acts according to the name of its file.
  "${
    builtins.path {
      name = "minios-bootstrap";
      path = ../.;
      filter = path: _: path == toString file;
    }
  }/busybox"
else
  throw ''
    minios has no busybox: tests/minios/busybox does not exist.
    Everything in minios is built with a static busybox. On Debian:
        apt-get install busybox-static
        cp /bin/busybox tests/minios/busybox
    git ignores the file, so a `git+file:` flake only sees it after `git add --force`; a `path:` flake always sees it.''
