# Prints warnings during evaluation, and works
{ ... }:
{
  warnings = [
    "The option services.old is deprecated; use services.new."
    "This warning has two lines:\nthis is the second."
  ];
  environment.etc.warned.text = "yes\n";
}
