# Never ends and needs no memory: it can only be killed
{ lib, ... }:
let
  numbers = lib.genList (number: number) 100000;
  # Each of ten levels runs the next one 100,000 times, so evaluation never ends. The innermost predicate is a builtin,
  # so it allocates nothing.
  spin =
    depth:
    if depth == 0 then
      builtins.any builtins.isNull numbers
    else
      builtins.any (_: spin (depth - 1)) numbers;
in
{
  environment.etc.endless-loop.text = if spin 10 then "over" else "not over";
}
