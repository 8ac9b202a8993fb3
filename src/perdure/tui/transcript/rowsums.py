"""Running sums of row counts that change while one scrolls."""

from __future__ import annotations

from collections.abc import Iterable


class RowSums:
    """Row counts of pages with sums in O(log n): a Fenwick tree.

    Every correction of an estimated height changes the start of all pages after it, so plain prefix
    sums would cost a pass over the whole history for each page that is read.
    """

    def __init__(self, rows: Iterable[int] = ()) -> None:
        self._rows = list(rows)
        self._tree = [0, *self._rows]
        for i in range(1, len(self._tree)):
            parent = i + (i & -i)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[i]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> int:
        return self._rows[index]

    @property
    def total(self) -> int:
        """All rows."""
        return self.start(len(self._rows))

    def start(self, index: int) -> int:
        """Rows before the page at ``index``."""
        total = 0
        while index > 0:
            total += self._tree[index]
            index -= index & -index
        return total

    def set(self, index: int, rows: int) -> None:
        """Correct one page's row count."""
        change = rows - self._rows[index]
        if not change:
            return
        self._rows[index] = rows
        node = index + 1
        while node < len(self._tree):
            self._tree[node] += change
            node += node & -node

    def append(self, rows: int) -> None:
        """Add a page at the end."""
        self._rows.append(rows)
        node = len(self._rows)
        first = node - (node & -node)
        self._tree.append(self.start(node - 1) - self.start(first) + rows)

    def locate(self, row: int) -> tuple[int, int]:
        """The page that holds ``row`` and the row's offset in it; the last page for rows beyond.

        Pages without rows are never the answer unless all are.
        """
        node = 0
        step = 1 << (len(self._rows).bit_length())
        left = max(0, row)
        while step:
            further = node + step
            if further < len(self._tree) and self._tree[further] <= left:
                node = further
                left -= self._tree[further]
            step >>= 1
        if node >= len(self._rows):
            node = len(self._rows) - 1
            while node > 0 and not self._rows[node]:
                node -= 1
            return node, max(0, self._rows[node] - 1) if self._rows else 0
        return node, left
