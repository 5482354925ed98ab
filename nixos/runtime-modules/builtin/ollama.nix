# Language model server, on local port 11434
{
  services.ollama.enable = true;
}
