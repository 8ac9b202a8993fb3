"""A companion's repository: created, read, written, recovered."""
