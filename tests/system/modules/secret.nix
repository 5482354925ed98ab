# Another secret, and a service that reads it
{ ... }:
{
  sops.secrets.token = "frperg";
  age.secrets.key = "ubhfr";
  systemd.services.second-reader = {
    description = "Reader of a module's secrets";
    wantedBy = [ "multi-user.target" ];
    script = ''
      cat /run/secrets/token /run/agenix/key > /run/second-reader
      while sleep 60; do :; done
    '';
  };
}
