# A PostgreSQL server with a database
{
  services.postgresql = {
    enable = true;
    ensureDatabases = [ "inventory" ];
  };
}
