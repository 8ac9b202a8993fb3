"""Version control for AI companions: every turn of a conversation is a git commit."""

__version__ = "0.1.0"
