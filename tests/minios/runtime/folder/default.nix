# A module that is a folder
{ environment.etc.folder.text = builtins.readFile ./text; }
