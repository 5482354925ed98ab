# A build server
{
  services.jenkins.enable = true;
}
