"""A count with its noun: ``1 turn``, ``3 turns``."""

from __future__ import annotations


def plural(count: int, noun: str, nouns: str = "") -> str:
    """The count and its noun; ``nouns`` is for plurals that do not just add an s."""
    return f"{count} {noun if count == 1 else nouns or f'{noun}s'}"
