"""The conflicts of an open merge, listed and settled."""
