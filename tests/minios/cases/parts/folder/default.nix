# A folder is imported by its `default.nix`.
{ items = [ "folder" ]; }
