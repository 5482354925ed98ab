# Not Nix: for the case of a file that cannot be parsed.
{ items = [ "one" ;
