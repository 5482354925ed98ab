# Imported at its declaration, so that the program sees a module without a file
{ config, ... }:
{
  environment.etc."inline".text = "on ${config.networking.hostName}\n";
}
