"""A companion created, archived, removed."""
