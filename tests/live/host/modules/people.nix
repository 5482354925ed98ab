# A user, a group and a rule of sudo
{
  users.users.bob.isNormalUser = true;
  users.groups.team.members = [ "bob" ];
  security.sudo.extraRules = [
    {
      users = [ "bob" ];
      commands = [
        {
          command = "/run/current-system/sw/bin/id";
          options = [ "NOPASSWD" ];
        }
      ];
    }
  ];
}
