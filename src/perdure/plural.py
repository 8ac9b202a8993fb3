"""A number and what is counted: ``1 turn``, ``3 turns``."""

from __future__ import annotations


def plural(count: int, noun: str, nouns: str = "") -> str:
    """The number and its noun; ``nouns`` is the plural where it is not made by an s at the end."""
    return f"{count} {noun if count == 1 else nouns or f'{noun}s'}"
