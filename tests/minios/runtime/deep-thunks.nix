# Needs more stack than there is, though nothing calls itself
{ lib, ... }:
let
  # Each sum waits for the one before it, and none is computed until the last one is wanted: a million at once. No limit
  # on calls counts them, so the evaluator runs out of its stack.
  sums = lib.foldl' (sum: _: { value = sum.value + 1; }) { value = 0; } (lib.genList lib.id 1000000);
in
{
  environment.etc.deep-thunks.text = toString sums.value;
}
