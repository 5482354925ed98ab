# A host that does not know of runtime modules: nothing declared, nothing baked.
{
  imports = [ ./common.nix ];

  networking.hostName = "bare";
}
