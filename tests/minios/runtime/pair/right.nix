# The other half of a module of two files
{ environment.etc."pair/right".text = "right\n"; }
