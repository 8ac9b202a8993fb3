"""The transcript: a life of talk as one scroll of rows, read and drawn only where one looks."""
