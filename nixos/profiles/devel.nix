# Programs for work on kernels: file systems, block devices, networks, tracing, profiling and editors.
{
  lib,
  options,
  pkgs,
  ...
}:
let
  # The first of these packages that the release has. Some packages have different names in different releases.
  firstOf = names: lib.getAttr (lib.findFirst (name: pkgs ? ${name}) (lib.last names) names) pkgs;
in
{
  environment.systemPackages =
    (with pkgs; [
      # File systems
      attr
      acl
      bcachefs-tools
      btrfs-progs
      cifs-utils
      dosfstools
      duperemove
      e2fsprogs
      erofs-utils
      exfatprogs
      f2fs-tools
      fsverity-utils
      keyutils
      nfs-utils
      nilfs-utils
      quota
      squashfsTools
      xfsdump
      xfsprogs

      # Block devices
      blktrace
      cryptsetup
      fio
      gptfdisk
      hdparm
      ioping
      lsscsi
      lvm2
      mdadm
      multipath-tools
      nbd
      nvme-cli
      openiscsi
      parted
      sdparm
      sg3_utils
      smartmontools
      thin-provisioning-tools
      util-linux

      # Networks
      ethtool
      iperf3
      iproute2
      rpcbind
      socat
      tcpdump

      # BPF, tracing and debuggers
      bcc
      bpftools
      bpftrace
      gdb
      ltrace
      strace
      trace-cmd
      valgrind

      # Load and profiles
      cpuid
      htop
      hwloc
      iotop
      linuxPackages.cpupower
      linuxPackages.turbostat
      lsof
      memtester
      msr-tools
      numactl
      pciutils
      procps
      psmisc
      stress-ng
      sysstat
      usbutils
      vmtouch

      # Editors and shells
      bat
      curl
      fd
      file
      git
      gnuplot
      jq
      less
      nano
      neovim
      ripgrep
      screen
      tmux
      tree
      unzip
      vim
      wget
      (python3.withPackages (python: [
        python.matplotlib
        python.numpy
        python.pandas
      ]))
    ])
    ++ [
      (firstOf [
        "targetcli-fb"
        "targetcli"
      ])
      (pkgs.perf or pkgs.linuxPackages.perf)
    ]
    # nixpkgs 24.05 does not have drgn.
    ++ lib.optional (pkgs.python3Packages ? drgn) pkgs.python3Packages.drgn;

  programs.bash =
    if options.programs.bash ? completion then
      { completion.enable = lib.mkDefault true; }
    else
      { enableCompletion = lib.mkDefault true; };
}
