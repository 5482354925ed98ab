# A firewall without open ports
{ lib, ... }:
{
  networking.firewall = {
    allowedTCPPorts = lib.mkForce [ ];
    allowPing = false;
  };
}
