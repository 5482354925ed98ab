# Builds and tests
{
  services.jenkins.enable = true;
}
