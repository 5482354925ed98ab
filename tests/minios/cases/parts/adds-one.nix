# A module in a file of its own, referenced by path and by `disabledModules`.
{ items = [ "one" ]; }
