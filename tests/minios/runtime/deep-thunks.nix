# Overflows the stack without recursion
{ lib, ... }:
let
  # Each sum depends on the one before it, and none is evaluated before the last one: a million nested thunks. No call
  # limit applies to them, so the evaluator overflows its stack.
  sums = lib.foldl' (sum: _: { value = sum.value + 1; }) { value = 0; } (lib.genList lib.id 1000000);
in
{
  environment.etc.deep-thunks.text = toString sums.value;
}
