# A group, and a variable that every session has
{ ... }:
{
  users.groups.readers = {
    gid = 4343;
    members = [ "alice" ];
  };
  environment.etc."set-environment".text = "export LAMP=on\n";
}
