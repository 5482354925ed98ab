# A banner for consoles.
{ ... }:
{
  environment.etc.issue.text = "This is minios.\n";
}
