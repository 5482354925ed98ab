# A folder, imported by its `default.nix`.
{ items = [ "folder" ]; }
