# Printers
{
  services.printing.enable = true;
}
