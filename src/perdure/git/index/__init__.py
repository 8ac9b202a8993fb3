"""git's index file."""
