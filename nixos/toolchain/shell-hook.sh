# Makes kernels that are built in different folders, and on different hosts, identical.
# The kernel records who built it, where and when.
export KBUILD_BUILD_USER=${KBUILD_BUILD_USER-nix}
export KBUILD_BUILD_HOST=${KBUILD_BUILD_HOST-nix}
export KBUILD_BUILD_VERSION=${KBUILD_BUILD_VERSION-1}
export KBUILD_BUILD_TIMESTAMP=${KBUILD_BUILD_TIMESTAMP-Thu Jan  1 00:00:01 UTC 1970}

# nixpkgs adds the output path to the linker's options. In a shell, this path is in the user's own folder, so builds
# would differ between users.
if [ -n "${out-}" ]; then
  NIX_LDFLAGS=" ${NIX_LDFLAGS-} "
  NIX_LDFLAGS=${NIX_LDFLAGS// -rpath $out\/lib / }
  NIX_LDFLAGS=${NIX_LDFLAGS// -L$out\/lib / }
  export NIX_LDFLAGS
fi
