"""The chat screen and what it is made of."""
