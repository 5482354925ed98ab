# A change of a service of the host that makes its reload fail
{ systemd.services.reloaded.environment.BREAK = "yes"; }
