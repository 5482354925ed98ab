# A banner on consoles.
{ ... }:
{
  environment.etc.issue.text = "This is minios.\n";
}
