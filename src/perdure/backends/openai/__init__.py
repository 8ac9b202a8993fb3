"""The OpenAI driver."""
