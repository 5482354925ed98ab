# Sets the domain to another value than conflict-b
{ networking.domain = "a.example"; }
