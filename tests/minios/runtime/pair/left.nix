# One half of a module of two files
{ environment.etc."pair/left".text = "left\n"; }
