# The one thing that is not built here: a static busybox, which is shell, coreutils and web server for all of minios.
#
# It is no part of the repository; whoever uses minios copies one to `tests/minios/busybox`.
let
  file = ../busybox;
in
if builtins.pathExists file then
  # A folder with nothing else in it, since a busybox goes by the name that it is called with.
  "${
    builtins.path {
      name = "minios-bootstrap";
      path = ../.;
      filter = path: _: path == toString file;
    }
  }/busybox"
else
  throw ''
    minios has no busybox: there is no file tests/minios/busybox in this copy of it.
    Everything in minios is built with a static busybox. On Debian:
        apt-get install busybox-static
        cp /bin/busybox tests/minios/busybox
    git ignores it, so a `git+file:` flake only sees it after `git add --force`; a `path:` flake sees it as it is.''
