# Sets a string option to a number
{ networking.domain = 42; }
