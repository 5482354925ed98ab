# Deliberately not Nix: a file that does not parse.
{ items = [ "one" ;
