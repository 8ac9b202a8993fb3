"""Which row of the scroll shows what, over pages of which most were never read.

A page is a chunk of the history, or a stretch of this session. An unread page has an estimated
height; reading it gives its blocks guessed heights, drawing a block gives its true one. The place
at the top of the view is kept as page, block and row within the block, so that no correction moves
what one is reading.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from perdure.tui.transcript.blocks import Block

_PAGES_KEPT = 48
_BLOCKS_A_PAGE = 32


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A row of the scroll by what it shows, not by its number."""

    page: int
    block: int
    row: int


def same_block(one: Location, other: Location) -> bool:
    """Whether two rows are of one block."""
    return (one.page, one.block) == (other.page, other.block)


@dataclass(slots=True)
class _Page:
    rows: array[int] | None = None
    drawn: bytearray | None = None


class Scrollback:
    """Pages of blocks as one column of rows.

    Args:
        read: the blocks of a history page, by its number.
        measure: the true height of a block in rows; draws it.
        guess: a cheap estimate of that height.
    """

    def __init__(
        self,
        read: Callable[[int], Sequence[Block]],
        measure: Callable[[Block], int],
        guess: Callable[[Block], int],
    ) -> None:
        self._read = read
        self._measure = measure
        self._guess = guess
        self._pages: list[_Page] = []
        self._history = 0
        self._kept: OrderedDict[int, list[Block]] = OrderedDict()
        self._session: list[list[Block]] = []
        self._sums = RowSums()

    # -- shape ---------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Rows of everything, estimates included."""
        return self._sums.total

    @property
    def pages(self) -> int:
        """Pages of history and of this session."""
        return len(self._pages)

    @property
    def history(self) -> int:
        """Pages of history."""
        return self._history

    def open(self, estimates: Sequence[int]) -> None:
        """Take a history of pages with estimated heights; the session's pages stay."""
        self._history = len(estimates)
        self._pages = [_Page() for _ in estimates]
        self._kept.clear()
        session, self._session = self._session, []
        self._sums = RowSums(estimates)
        for blocks in session:
            for block in blocks:
                self.append(block)

    def forget_session(self) -> None:
        """Drop the session's pages; called where the history now holds them."""
        del self._pages[self._history :]
        self._session.clear()
        self._sums = RowSums(self._sums[i] for i in range(self._history))

    def reflow(self, scale: float) -> None:
        """The width or the look changed: every height is an estimate again."""
        estimates = []
        for number, page in enumerate(self._pages):
            if number < self._history:
                page.rows = page.drawn = None
                estimates.append(max(1, round(self._sums[number] * scale)))
            else:
                self._guess_page(page, self._session[number - self._history])
                estimates.append(sum(page.rows or ()))
        self._sums = RowSums(estimates)

    # -- blocks --------------------------------------------------------------------------------

    def blocks(self, page: int) -> Sequence[Block]:
        """The blocks of a page, read now if need be."""
        if page >= self._history:
            return self._session[page - self._history]
        kept = self._kept.get(page)
        if kept is None:
            kept = self._kept[page] = list(self._read(page))
            if len(self._kept) > _PAGES_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(page)
        state = self._pages[page]
        if state.rows is None or len(state.rows) != len(kept):
            self._guess_page(state, kept)
            self._sums.set(page, sum(state.rows or ()))
        return kept

    def block(self, location: Location) -> Block:
        """The block at a location."""
        return self.blocks(location.page)[location.block]

    def nearest(self, location: Location) -> Location:
        """The location itself; where there is no such block, the next one, else the last."""
        if location.page < self.pages and location.block < len(self.blocks(location.page)):
            return location
        later = self.after(location.page, location.block) if location.page < self.pages else None
        found = later or self.before(min(location.page + 1, self.pages), 0)
        return Location(*found, 0) if found is not None else Location(0, 0, 0)

    def append(self, block: Block) -> Location:
        """Add a block to this session's."""
        if not self._session or len(self._session[-1]) >= _BLOCKS_A_PAGE:
            self._session.append([])
            self._pages.append(_Page(array("I"), bytearray()))
            self._sums.append(0)
        self._session[-1].append(block)
        page, number = self._pages[-1], len(self._pages) - 1
        if page.rows is not None and page.drawn is not None:
            page.rows.append(self._guess(block))
            page.drawn.append(0)
            self._sums.set(number, self._sums[number] + page.rows[-1])
        return Location(number, len(self._session[-1]) - 1, 0)

    def replace(self, location: Location, block: Block) -> None:
        """Put another block in the place of one of this session's."""
        self._session[location.page - self._history][location.block] = block
        self.changed(location, self._guess(block), drawn=False)

    def remove(self, location: Location) -> None:
        """Take away one of this session's blocks."""
        del self._session[location.page - self._history][location.block]
        page = self._pages[location.page]
        if page.rows is not None and page.drawn is not None:
            del page.rows[location.block]
            del page.drawn[location.block]
            self._sums.set(location.page, sum(page.rows))

    def changed(self, location: Location, rows: int, *, drawn: bool = True) -> None:
        """A block has another height now."""
        page = self._pages[location.page]
        if page.rows is None or page.drawn is None:
            return
        self._sums.set(location.page, self._sums[location.page] + rows - page.rows[location.block])
        page.rows[location.block] = rows
        page.drawn[location.block] = drawn

    def height(self, page: int, block: int) -> int:
        """The true height of a block; draws it the first time."""
        blocks = self.blocks(page)
        state = self._pages[page]
        if state.rows is None or state.drawn is None:  # pragma: no cover - blocks() filled them
            return 0
        if not state.drawn[block]:
            self.changed(Location(page, block, 0), self._measure(blocks[block]))
        return state.rows[block]

    # -- places --------------------------------------------------------------------------------

    def row_of(self, location: Location) -> int:
        """The number of a row, counted from the very first."""
        state = self._pages[location.page]
        inside = sum(state.rows[: location.block]) if state.rows is not None else 0
        return self._sums.start(location.page) + inside + location.row

    def location_at(self, row: int) -> Location:
        """What a row shows, as far as heights are known."""
        if not self._pages:
            return Location(0, 0, 0)
        page, offset = self._sums.locate(row)
        guessed = max(1, self._sums[page])
        blocks = self.blocks(page)
        rows = self._pages[page].rows
        if rows is None or not blocks:
            return Location(page, 0, 0)
        offset = offset * self._sums[page] // guessed
        for number, height in enumerate(rows):
            if offset < height:
                return Location(page, number, offset)
            offset -= height
        return Location(page, len(blocks) - 1, max(0, rows[-1] - 1))

    def step(self, location: Location, delta: int) -> Location:
        """The location ``delta`` rows further down (negative: up), with true heights on the way."""
        if not self._pages:
            return Location(0, 0, 0)
        page, block, row = location.page, location.block, location.row + delta
        while row < 0:
            earlier = self.before(page, block)
            if earlier is None:
                return Location(page, block, 0)
            page, block = earlier
            row += self.height(page, block)
        while row >= (height := self._height_or_none(page, block)):
            later = self.after(page, block)
            if later is None:
                return Location(page, block, max(0, height - 1))
            row -= height
            page, block = later
        return Location(page, block, row)

    def before(self, page: int, block: int) -> tuple[int, int] | None:
        """The block before this one, pages without blocks passed over."""
        if block > 0:
            return page, block - 1
        while page > 0:
            page -= 1
            if blocks := self.blocks(page):
                return page, len(blocks) - 1
        return None

    def after(self, page: int, block: int) -> tuple[int, int] | None:
        """The block after this one."""
        if block + 1 < len(self.blocks(page)):
            return page, block + 1
        while page + 1 < len(self._pages):
            page += 1
            if self.blocks(page):
                return page, 0
        return None

    def end(self, height: int) -> Location:
        """The top of a view of ``height`` rows that shows the end."""
        if not self._pages:
            return Location(0, 0, 0)
        page = len(self._pages) - 1
        last = self.before(page + 1, 0) if page + 1 else None
        if last is None:
            return Location(0, 0, 0)
        page, block = last
        return self.step(Location(page, block, self.height(page, block)), -height)

    def view(self, top: Location, height: int) -> list[Location]:
        """The rows of a view that begins at ``top``; fewer at the end."""
        shown: list[Location] = []
        if not self._pages:
            return shown
        page, block, row = top.page, top.block, top.row
        if not self.blocks(page):
            later = self.after(page, block)
            if later is None:
                return shown
            (page, block), row = later, 0
        while len(shown) < height:
            rows = self.height(page, block)
            last = min(rows, row + height - len(shown))
            shown.extend(Location(page, block, number) for number in range(row, last))
            later = self.after(page, block)
            if later is None:
                break
            page, block = later
            row = 0
        return shown

    # -- inside --------------------------------------------------------------------------------

    def _height_or_none(self, page: int, block: int) -> int:
        return self.height(page, block) if self.blocks(page) else 0

    def _guess_page(self, page: _Page, blocks: Sequence[Block]) -> None:
        page.rows = array("I", (self._guess(block) for block in blocks))
        page.drawn = bytearray(len(blocks))


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
