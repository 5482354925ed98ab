# The versions of Debian's programs that NixOS's modules and nixpkgs compare.
{
  bookworm = {
    gcc = "12.2.0";
    glibc = "2.36";
    nginx = "1.22.1";
    openssh = "9.2p1";
    perl = "5.36.0";
    postgresql = "15";
    python = "3.11";
    # The systemd that 24.05 expects: some of its modules have assertions about it.
    systemd = "255";
  };
  trixie = {
    gcc = "14.2.0";
    glibc = "2.41";
    nginx = "1.26.3";
    openssh = "10.0p1";
    perl = "5.40.1";
    postgresql = "17";
    python = "3.13";
    systemd = "257";
  };
}
