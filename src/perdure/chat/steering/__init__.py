"""Steering a history: rewind, revert, restore, branches, tags, undo, archive."""
