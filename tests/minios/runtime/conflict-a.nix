# Wants another domain than conflict-b does
{ networking.domain = "a.example"; }
