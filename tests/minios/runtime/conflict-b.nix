# Wants another domain than conflict-a does
{ networking.domain = "b.example"; }
