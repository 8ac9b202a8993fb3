"""Configuration: the repository's own, and the user's."""
