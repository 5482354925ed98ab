# A module in its own file, referenced by path and by `disabledModules`.
{ items = [ "one" ]; }
