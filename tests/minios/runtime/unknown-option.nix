# Defines an option that there is not
{ networking.hostNmae = "typo"; }
