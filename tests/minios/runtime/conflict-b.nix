# Sets the domain to another value than conflict-a
{ networking.domain = "b.example"; }
