"""Vectors of messages, from whichever embedder is installed."""
