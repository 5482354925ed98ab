# A group, and an environment variable of every session
{ ... }:
{
  users.groups.readers = {
    gid = 4343;
    members = [ "alice" ];
  };
  environment.etc."set-environment".text = "export LAMP=on\n";
}
