# Sets the domain to a value other than conflict-b
{ networking.domain = "a.example"; }
