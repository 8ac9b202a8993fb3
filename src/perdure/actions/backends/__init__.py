"""Backends added, checked, ordered, confirmed and pinned."""
