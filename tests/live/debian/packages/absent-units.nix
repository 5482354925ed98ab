# Units that the systemd of a NixOS release has, and Debian's does not have, or has in a package that is not installed.
# The list is for all suites together: a unit that a suite does have is taken from there.
[
  # Newer than bookworm's systemd 252.
  "soft-reboot.target"
  "storage-target-mode.target"
  "systemd-battery-check.service"
  "systemd-bsod.service"
  "systemd-confext.service"
  "systemd-hibernate-resume.service"
  "systemd-soft-reboot.service"
  "systemd-storagetm.service"
  "systemd-tmpfiles-setup-dev-early.service"
  "systemd-udev-load-credentials.service"
  # Newer than trixie's systemd 257.
  "factory-reset.target.wants"
  "systemd-ask-password.socket"
  "systemd-ask-password@.service"
  "systemd-factory-reset-reboot.service"
  "systemd-factory-reset-request.service"
  "systemd-factory-reset.socket"
  "systemd-factory-reset@.service"
  "systemd-journalctl.socket"
  "systemd-journalctl@.service"
  "systemd-mute-console.socket"
  "systemd-mute-console@.service"
  "systemd-udevd-varlink.socket"
  # In other packages of Debian, or left out by them.
  "systemd-growfs-root.service"
  "systemd-growfs@.service"
  "systemd-journal-catalog-update.service"
  "systemd-nspawn@.service"
  "systemd-update-done.service"
  "systemd-update-utmp.service"
  "systemd-vconsole-setup.service"
]
