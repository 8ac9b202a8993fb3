"""Refs, revisions, tags, and which commit is an ancestor of which."""
