# Imported where it is declared, so that the program sees a module without a file
{ config, ... }:
{
  environment.etc."inline".text = "on ${config.networking.hostName}\n";
}
