"""The index of history in SQLite, and the walk without it."""
