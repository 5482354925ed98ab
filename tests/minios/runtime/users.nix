# Adds a group and a user in it
{ ... }:
{
  users.groups.runtime = {
    gid = 4242;
    members = [ "runner" ];
  };
  users.users.runner = {
    uid = 4242;
    gid = 4242;
    description = "Service user";
  };
}
