# In place of the profile of nixpkgs: ../../guest-docs.nix evaluates declarations without nixpkgs.
{ }
