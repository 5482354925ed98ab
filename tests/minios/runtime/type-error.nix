# Gives a number where a text is wanted
{ networking.domain = 42; }
