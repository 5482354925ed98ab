# A unit that fails
{ ... }:
{
  systemd.services.failing = {
    description = "Fails";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "oneshot";
    script = ''
      echo "the thing that this service needs is not there" >&2
      exit 1
    '';
  };
}
