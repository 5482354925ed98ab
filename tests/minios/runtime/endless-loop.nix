# Never ends and needs no memory: it can only be killed
{ lib, ... }:
let
  numbers = lib.genList (number: number) 100000;
  # The innermost calls are of a builtin that allocates nothing; ten levels of a hundred thousand never end.
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
