# A module in a file of its own: found by path, and by `disabledModules`.
{ items = [ "one" ]; }
