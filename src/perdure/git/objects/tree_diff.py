"""Compares trees as raw bytes, for reading a whole history.

`Trees` takes every entry apart to walk and edit; from one commit to the next nearly all are the
same, and sets of raw entries say so at a third of the price.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from perdure.git.errors import DamagedRepository, too_many
from perdure.git.objects.tree import FOLDER, MOST_BYTES, FileChange
from perdure.git.objects.tree_budget import MOST_FILES, Pair, WalkCount
from perdure.git.paths import DEEPEST, tree_name

_ENTRY = re.compile(rb"([0-7]{1,6}) ([^\0]*)\0(.{20})", re.DOTALL)
_KEPT = 1024
"""Trees kept: the next commit is compared with them."""

TreeRow = tuple[bytes, bytes, bytes]
"""Mode, name and id, as a tree has them."""


class TreeComparer:
    """Compares trees of one object store."""

    def __init__(self, raw: Callable[[str], tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._kept: dict[str, frozenset[TreeRow]] = {}

    def _rows(self, oid: str | None) -> frozenset[TreeRow]:
        if oid is None:
            return frozenset()
        known = self._kept.get(oid)
        if known is None:
            kind, data = self._raw(oid)
            if len(data) > MOST_BYTES:
                raise too_many("", MOST_FILES)
            rows = _ENTRY.findall(data)
            size = sum([len(mode) + len(name) for mode, name, _ in rows]) + 22 * len(rows)
            if kind != b"tree" or size != len(data):
                raise DamagedRepository(f"the tree {oid} cannot be read")
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            known = self._kept[oid] = frozenset(rows)
        return known

    def _differing(
        self, before: str | None, after: str | None
    ) -> tuple[dict[bytes, TreeRow], dict[bytes, TreeRow]]:
        """The rows that only one of two trees has, by name."""
        left, right = self._rows(before), self._rows(after)
        return {row[1]: row for row in left - right}, {row[1]: row for row in right - left}

    def _below(self, pair: Pair) -> tuple[int, list[Pair]]:
        """How many names two folders have differently, and the folders among them."""
        sides = self._differing(pair[0], pair[1])
        inner: list[Pair] = []
        for name in sides[0] | sides[1] if pair[2] <= DEEPEST else ():
            rows = [side.get(name) for side in sides]
            trees = [row[2].hex() if row and _is_folder(row) else None for row in rows]
            if trees != [None, None]:
                inner.append((trees[0], trees[1], pair[2] + 1))
        return max(map(len, sides)), inner

    def difference(self, old: str | None, new: str | None) -> list[FileChange]:
        """Paths whose entries differ, as `Trees.difference` gives them.

        Raises:
            DamagedRepository: a tree is missing or cannot be read.
            TooManyFiles: see there.
        """
        found: list[FileChange] = []
        count = WalkCount((old, new, 0), self._below)
        stack: list[tuple[str, str | None, str | None]] = [("", old, new)]
        while stack:
            folder, before, after = stack.pop()
            if before == after:
                continue
            gone, come = self._differing(before, after)
            count.take(max(len(gone), len(come)))
            is_deepest = folder.count("/") >= DEEPEST
            for raw_name in gone | come:
                name = tree_name(raw_name)
                path = f"{folder}/{name}" if folder else name
                sides = [side.get(raw_name) for side in (gone, come)]
                ids = [row[2].hex() if row else None for row in sides]
                is_open = [row and not is_deepest and _is_folder(row) for row in sides]
                trees = [oid if way else None for oid, way in zip(ids, is_open, strict=True)]
                if trees != [None, None]:
                    stack.append((path, trees[0], trees[1]))
                files = [None if way else oid for oid, way in zip(ids, is_open, strict=True)]
                if files != [None, None]:
                    found.append(FileChange(path, files[0], files[1]))
        return sorted(found, key=lambda change: change.path)


def _is_folder(row: TreeRow) -> bool:
    return int(row[0], 8) == FOLDER
