# The second of two files of a module
{ environment.etc."pair/right".text = "right\n"; }
