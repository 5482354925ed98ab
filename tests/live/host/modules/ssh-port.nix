# A second port of sshd
{
  services.openssh.ports = [
    22
    2222
  ];
}
