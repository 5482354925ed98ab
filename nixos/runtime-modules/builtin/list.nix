# What each built-in module is for, by the name of its file.
{
  bluetooth = "Bluetooth devices";
  development = "Compilers, debuggers and what else one programs with";
  docker = "Containers with Docker";
  gaming = "Steam, GameMode, gamescope and MangoHud";
  gimp = "Image editor";
  jellyfin = "Media server, on port 8096";
  kdenlive = "Video editor";
  libreoffice = "Office suite";
  ollama = "Server for language models, on port 11434 of this machine";
  podman = "Containers with Podman, under the name docker as well";
  postgresql = "PostgreSQL database server";
  printing = "Printing, also to printers found on the network";
  steam = "Steam, and games for it";
  tailscale = "Private network with Tailscale";
  virt-manager = "Virtual machines with libvirt, and a window for them";
  wine = "Windows programs with Wine";
}
