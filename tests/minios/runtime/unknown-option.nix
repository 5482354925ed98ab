# Defines an option that does not exist
{ networking.hostNmae = "typo"; }
