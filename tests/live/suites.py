"""The Debian suite that provides the binaries for each release of NixOS, and the packages that are installed from it.

NixOS's units and modules expect a certain systemd. Another systemd works if the units that it lacks are left out
(`debian/packages/absent-units.nix`).

| NixOS   | expects systemd | Debian suite | its systemd | switch program |
|---------|-----------------|--------------|-------------|----------------|
| 24.05   | 255             | bookworm     | 252         | Perl           |
| 24.11   | 256             | trixie       | 257         | -ng            |
| 25.05   | 257             | trixie       | 257         | Perl           |
| 26.11   | 260             | trixie       | 257         | -ng            |

25.05 would use -ng, but its sources need a crate from a git repository, so the host chooses the Perl program. 25.11pre
needs the same crate and has no Perl program any more, so it cannot be tested.

docs/verifying.md names the releases that were tested.
"""

# The releases are compared as strings. Each suite serves its release and later ones, up to the next entry.
SUITES = [("24.05", "bookworm"), ("24.11", "trixie")]

# Packages that exist in every suite, one group a line: the system itself, its network, Perl for NixOS's scripts, the
# services of the tests, tools that modules and scripts call, and the compiler and tools of the stdenv.
PACKAGES = """
systemd systemd-sysv udev dbus dbus-daemon dbus-user-session libpam-systemd libnss-systemd libnss-myhostname
libpam-modules libpam-modules-bin libpam-runtime login passwd uidmap sudo util-linux util-linux-extra mount eject fdisk bsdutils
iproute2 iptables nftables iputils-ping net-tools netbase hostname bind9-host netcat-openbsd
perl libconfig-inifiles-perl libfile-slurp-perl libnet-dbus-perl libxml-twig-perl libxml-parser-perl libjson-perl
openssh-client openssh-server nginx postgresql
bash bash-completion busybox-static coreutils procps psmisc kmod e2fsprogs dosfstools kbd console-setup-linux
ncurses-bin ncurses-base tzdata ca-certificates locales libc-bin libc-l10n media-types acl attr libcap2-bin fuse3
curl jq less nano lsof rsync git strace time file whois debianutils xauth xutils-dev openssl
tar gzip bzip2 xz-utils zstd unzip cpio patch diffutils findutils gawk grep sed
gcc libc6-dev make binutils patchelf python3-minimal libpython3-stdlib libxml2-utils xsltproc
""".split()

# Packages of one suite only.
EXTRA = {
    "bookworm": ["nscd"],
    # systemd-dev and libdbus-1-dev contain the files that switch-to-configuration-ng is compiled with.
    "trixie": ["systemd-dev", "libdbus-1-dev", "libpam-lastlog2", "lastlog2", "dbus-broker"],
}


def find_suite(release):
    """Returns the Debian suite for a release of NixOS, or None."""
    served = [suite for first, suite in SUITES if first <= release]
    return served[-1] if served else None


def packages(suite):
    """Returns the packages that are installed from a suite."""
    return sorted(set(PACKAGES + EXTRA[suite]))
