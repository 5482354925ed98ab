# Bluetooth devices
{ config, lib, ... }:
{
  hardware.bluetooth.enable = true;
  # For desktops without their own Bluetooth settings.
  services.blueman.enable = lib.mkDefault (
    config.services.xserver.enable
    && !(config.services.desktopManager.plasma6.enable or false)
    && !(config.services.desktopManager.gnome.enable
      or config.services.xserver.desktopManager.gnome.enable or false
    )
  );
}
