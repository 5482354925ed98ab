# Functions on functions, and messages to whoever evaluates.
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

  # A set with `__functor` is called like a function, so it counts as one.
  isFunction = f: builtins.isFunction f || (isAttrs f && f ? __functor && isFunction (f.__functor f));

  # The named arguments of a function; `setFunctionArgs` gives them to one that has none of its own.
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

  # `warn` of the evaluator is newer than some that this runs on; a trace says the same.
  warn = builtins.warn or (message: value: builtins.trace "evaluation warning: ${message}" value);
  showWarnings = warnings: value: builtins.foldl' (rest: message: warn message rest) value warnings;

  # One layer over another: `final` is the whole, `previous` what lies below.
  extends =
    overlay: base: final:
    let
      previous = base final;
    in
    previous // overlay final previous;
}
