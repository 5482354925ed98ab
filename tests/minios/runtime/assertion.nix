# Fails an assertion that says what to do
{ config, ... }:
{
  assertions = [
    {
      assertion = config.networking.domain != null;
      message = "The module `assertion` needs a domain: set networking.domain, for example to \"example.org\".";
    }
  ];
}
