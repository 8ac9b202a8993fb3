"""Progress of long work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told how much is done and how much there is in all; 0 while that is still being counted."""
