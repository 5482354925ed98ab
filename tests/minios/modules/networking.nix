# The name and the domain of the machine.
{ config, lib, ... }:
{
  options.networking = {
    hostName = lib.mkOption {
      type = lib.types.strMatching "|[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?";
      default = "minios";
      description = "The name of the machine; empty if it is set at run time.";
    };
    domain = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "The domain of the machine.";
    };
  };

  config.environment.etc = {
    hostname = lib.mkIf (config.networking.hostName != "") {
      text = config.networking.hostName + "\n";
    };
    domainname = lib.mkIf (config.networking.domain != null) {
      text = config.networking.domain + "\n";
    };
  };
}
