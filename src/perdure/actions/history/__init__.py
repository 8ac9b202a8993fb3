"""Branches, tags, rewind, revert, restore, merge, undo."""
