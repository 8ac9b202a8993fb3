"""Compares trees as raw bytes, for reading a whole history.

`Trees` takes every entry apart to walk and edit; from one commit to the next nearly all are the
same, and sets of raw entries say so at a third of the price.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from perdure.git.errors import DamagedRepository, too_many
from perdure.git.objects.tree import MOST_BYTES, FileChange, Node, TwoTrees, compare_trees
from perdure.git.objects.tree_budget import MOST_FILES
from perdure.git.paths import tree_name

_ENTRY = re.compile(rb"([0-7]{1,6}) ([^\0]*)\0(.{20})", re.DOTALL)
_KEPT = 1024
"""Trees kept: the next commit is compared with them."""
_KEPT_ROWS = 100_000
"""Entries that they have together, about: a stranger's trees may have 100,000 each."""

TreeRow = tuple[bytes, bytes, bytes]
"""Mode, name and id, as a tree has them."""


class TreeComparer:
    """Compares trees of one object store."""

    def __init__(self, raw: Callable[[str], tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._kept: dict[str, frozenset[TreeRow]] = {}
        self._kept_rows = 0

    def rows(self, oid: str | None) -> frozenset[TreeRow]:
        """The entries of a tree, none for None. Raises as `difference` does."""
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
            if len(self._kept) >= _KEPT or self._kept_rows > _KEPT_ROWS:
                self._kept.clear()
                self._kept_rows = 0
            self._kept_rows += len(rows)
            known = self._kept[oid] = frozenset(rows)
        return known

    def _differing(self, old: str | None, new: str | None) -> TwoTrees:
        left, right = self.rows(old), self.rows(new)
        gone, come = (
            {tree_name(row[1]): _node(row) for row in rows} for rows in (left - right, right - left)
        )
        return max(len(gone), len(come)), gone, come

    def difference(self, old: str | None, new: str | None) -> list[FileChange]:
        """Paths whose entries differ, as `Trees.difference` gives them.

        Raises:
            DamagedRepository: a tree is missing or cannot be read.
            TooManyFiles: see there.
        """
        return compare_trees(old, new, self._differing)


def _node(row: TreeRow) -> Node:
    return int(row[0], 8), row[2].hex()
