# Replaces the profile of nixpkgs, because ../../guest-docs.nix evaluates the declarations without nixpkgs.
{ }
