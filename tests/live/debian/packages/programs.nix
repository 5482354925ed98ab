# Packages that consist of programs only.
{ build, prev, ... }:
prev.lib.mapAttrs
  (
    name: programs:
    build.fromDebian name {
      inherit programs;
      mainProgram = builtins.head programs;
    }
  )
  {
    acl = [
      "getfacl"
      "setfacl"
      "chacl"
    ];
    attr = [
      "getfattr"
      "setfattr"
      "attr"
    ];
    bind = [ "host" ];
    busybox = [ "busybox" ];
    bzip2 = [
      "bzip2"
      "bunzip2"
      "bzcat"
    ];
    cpio = [ "cpio" ];
    curl = [ "curl" ];
    dash = [ "dash" ];
    diffutils = [
      "diff"
      "cmp"
      "diff3"
      "sdiff"
    ];
    dosfstools = [
      "mkfs.fat"
      "fsck.fat"
      "fsck.vfat"
      "mkfs.vfat"
    ];
    e2fsprogs = [
      "mkfs.ext4"
      "mke2fs"
      "e2fsck"
      "fsck.ext4"
      "fsck.ext3"
      "fsck.ext2"
      "tune2fs"
      "resize2fs"
      "lsattr"
      "chattr"
    ];
    file = [ "file" ];
    findutils = [
      "find"
      "xargs"
    ];
    fuse3 = [ "fusermount3" ];
    getconf = [ "getconf" ];
    getent = [ "getent" ];
    git = [ "git" ];
    gitMinimal = [ "git" ];
    gnugrep = [
      "grep"
      "egrep"
      "fgrep"
    ];
    gnumake = [ "make" ];
    gnupatch = [ "patch" ];
    gnused = [ "sed" ];
    gnutar = [ "tar" ];
    gzip = [
      "gzip"
      "gunzip"
      "zcat"
    ];
    host = [ "host" ];
    hostname = [ "hostname" ];
    inetutils = [ "hostname" ];
    nettools = [
      "hostname"
      "netstat"
      "ifconfig"
      "route"
    ];
    iproute2 = [
      "ip"
      "ss"
      "tc"
      "bridge"
    ];
    iptables = [
      "iptables"
      "iptables-save"
      "iptables-restore"
      "ip6tables"
      "ip6tables-save"
      "ip6tables-restore"
    ];
    iputils = [ "ping" ];
    jq = [ "jq" ];
    kbd = [
      "loadkeys"
      "setfont"
      "openvt"
      "chvt"
      "dumpkeys"
    ];
    less = [
      "less"
      "lesskey"
    ];
    libcap = [
      "setcap"
      "getcap"
      "capsh"
      "getpcaps"
    ];
    libxml2 = [ "xmllint" ];
    libxslt = [ "xsltproc" ];
    lndir = [ "lndir" ];
    lsof = [ "lsof" ];
    mkpasswd = [ "mkpasswd" ];
    nano = [ "nano" ];
    ncurses = [
      "tput"
      "clear"
      "reset"
      "tset"
      "infocmp"
      "tic"
      "tabs"
    ];
    nftables = [ "nft" ];
    openssl = [ "openssl" ];
    patchelf = [ "patchelf" ];
    procps = [
      "ps"
      "top"
      "free"
      "kill"
      "pgrep"
      "pkill"
      "pidof"
      "sysctl"
      "uptime"
      "vmstat"
      "w"
      "watch"
    ];
    rsync = [ "rsync" ];
    strace = [ "strace" ];
    su = [ "su" ];
    time = [ "time" ];
    unzip = [ "unzip" ];
    which = [ "which" ];
    xz = [
      "xz"
      "unxz"
      "xzcat"
    ];
    zstd = [
      "zstd"
      "unzstd"
      "zstdcat"
    ];
  }
