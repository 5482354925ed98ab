# A file in /etc, for tests that need a cheap change
{ environment.etc."note".text = "written by a module\n"; }
