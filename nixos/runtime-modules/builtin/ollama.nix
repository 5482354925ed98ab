# Server for language models, on port 11434 of this machine
{
  services.ollama.enable = true;
}
