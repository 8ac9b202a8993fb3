"""The Ollama driver."""
