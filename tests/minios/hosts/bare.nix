# A host without the options for runtime modules: it declares and bakes nothing.
{
  imports = [ ./common.nix ];

  networking.hostName = "bare";
}
