"""Texts compared, and each line of a file traced to its commit."""
