# The first of two files of a module
{ environment.etc."pair/left".text = "left\n"; }
