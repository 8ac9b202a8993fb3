"""Limits a walk through trees, which may be endless.

A tree may hold itself many times over: ten folders of ten folders, and so on, are a few hundred
bytes and more files than anybody can read. How many there are follows from the ids alone, so each
tree, or pair of trees, is counted once however often it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perdure.git.errors import too_many

MOST_FILES = 500_000
"""Paths that one look at a tree goes through."""
_FREELY = 20_000
"""Paths after which a walk is counted to its end before it goes on: most never come there."""

Pair = tuple[str | None, str | None, int]
"""Ids of two trees, None for none, and how deep in the walk they are."""

Below = Callable[[Pair], tuple[int, Sequence[Pair]]]
"""How many entries a pair is walked through, and the pairs of folders among them."""


class WalkCount:
    """How much one walk has visited."""

    def __init__(self, start: Pair, below: Below) -> None:
        """Count nothing yet.

        Args:
            start: where the walk begins.
            below: opens a pair as the walk does.
        """
        self._start = start
        self._below = below
        self._left = MOST_FILES

    def take(self, entries: int) -> None:
        """Go through so many more.

        Raises:
            TooManyFiles: these, or those to come, are too many.
        """
        was, self._left = self._left, self._left - entries
        if self._left < 0:
            raise too_many("", MOST_FILES)
        if was >= MOST_FILES - _FREELY > self._left:
            self._refuse_endless()

    def _refuse_endless(self) -> None:
        counts: dict[Pair, int] = {}
        opened: dict[Pair, tuple[int, Sequence[Pair]]] = {}
        waiting = [self._start]
        while waiting:
            here = waiting[-1]
            if here in counts:
                waiting.pop()
                continue
            if here not in opened:
                opened[here] = self._below(here)
                waiting += opened[here][1]
                continue
            own, inner = opened.pop(here)
            counts[here] = own + sum(counts[pair] for pair in inner)
            if counts[here] > MOST_FILES:
                raise too_many("", MOST_FILES)
