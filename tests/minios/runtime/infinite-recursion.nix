# Has an option that is defined by its own value
{ config, ... }:
{
  networking.domain = config.networking.domain + ".example";
}
