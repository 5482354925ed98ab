# Units that the systemd of a NixOS release has, and Debian's does not have, or has in a package that is not installed.
# The list is for all suites together: a unit that a suite does have is taken from there.
[
  # Newer than bookworm's systemd 252.
  "initrd-root-device.target"
  "soft-reboot.target"
  "storage-target-mode.target"
  "systemd-battery-check.service"
  "systemd-bsod.service"
  "systemd-confext.service"
  "systemd-hibernate-resume.service"
  "systemd-pcrphase-initrd.service"
  "systemd-pcrphase-sysinit.service"
  "systemd-pcrphase.service"
  "systemd-soft-reboot.service"
  "systemd-storagetm.service"
  "systemd-tmpfiles-setup-dev-early.service"
  "systemd-udev-load-credentials.service"
  # In other packages of Debian, or left out by them.
  "proc-sys-fs-binfmt_misc.automount"
  "systemd-growfs-root.service"
  "systemd-growfs@.service"
  "systemd-journal-catalog-update.service"
  "systemd-nspawn@.service"
  "systemd-update-done.service"
  "systemd-vconsole-setup.service"
]
