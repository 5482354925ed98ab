# Sets the domain to a value other than conflict-a
{ networking.domain = "b.example"; }
