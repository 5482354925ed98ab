# PostgreSQL database server
{
  services.postgresql.enable = true;
}
