# Recurses endlessly
{ ... }:
let
  deeper = number: deeper (number + 1) + 1;
in
{
  environment.etc.endless-recursion.text = toString (deeper 0);
}
