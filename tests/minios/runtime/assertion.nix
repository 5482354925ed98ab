# Fails an assertion with a hint
{ config, ... }:
{
  assertions = [
    {
      assertion = config.networking.domain != null;
      message = "The module `assertion` needs a domain: set networking.domain, for example to \"example.org\".";
    }
  ];
}
