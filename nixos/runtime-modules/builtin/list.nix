# The description of each built-in module, by the name of its file.
{
  bluetooth = "Bluetooth devices";
  development = "Compilers, debuggers and other development tools";
  docker = "Containers with Docker";
  gaming = "Steam, GameMode, gamescope and MangoHud";
  gimp = "Image editor";
  jellyfin = "Media server, on port 8096";
  kdenlive = "Video editor";
  libreoffice = "Office suite";
  ollama = "Language model server, on local port 11434";
  podman = "Containers with Podman, with a docker command";
  postgresql = "PostgreSQL database server";
  printing = "Printing, including network printers";
  steam = "Steam";
  tailscale = "Private network with Tailscale";
  virt-manager = "Virtual machines with libvirt and virt-manager";
  wine = "Windows programs with Wine";
}
