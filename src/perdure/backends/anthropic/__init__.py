"""The Anthropic driver."""
