# Functions on functions, and messages during evaluation.
{ ... }:
let
  inherit (builtins) isAttrs;
in
rec {
  id = x: x;
  fix =
    f:
    let
      result = f result;
    in
    result;

  # A set with `__functor` can be called, so it counts as a function.
  isFunction = f: builtins.isFunction f || (isAttrs f && f ? __functor && isFunction (f.__functor f));

  # The named arguments of a function; `setFunctionArgs` adds them to a function that has none.
  functionArgs =
    f:
    if f ? __functor then
      f.__functionArgs or (functionArgs (f.__functor f))
    else
      builtins.functionArgs f;
  setFunctionArgs = f: args: {
    __functor = _: f;
    __functionArgs = args;
  };

  # Older evaluators lack `warn`; a trace prints the same text.
  warn = builtins.warn or (message: value: builtins.trace "evaluation warning: ${message}" value);
  showWarnings = warnings: value: builtins.foldl' (rest: message: warn message rest) value warnings;

  # Extends the set of `base` with an overlay: `final` is the result, and `previous` is the set without the overlay.
  extends =
    overlay: base: final:
    let
      previous = base final;
    in
    previous // overlay final previous;
}
