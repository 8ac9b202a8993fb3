"""What one reads stays where it is while heights become known around it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from perdure.tui.transcript.blocks import Block, Divider
from perdure.tui.transcript.scrollback import Location, Scrollback

HEIGHTS = st.lists(
    st.lists(st.integers(min_value=1, max_value=30), max_size=6), min_size=1, max_size=12
)


def scrollback(pages: list[list[int]], reads: list[int] | None = None) -> Scrollback:
    """Pages of blocks that are as many rows high as their label says; guesses are all 5."""

    def read(page: int) -> Sequence[Block]:
        if reads is not None:
            reads.append(page)
        return [Divider(str(rows)) for rows in pages[page]]

    def measure(block: Block) -> int:
        assert isinstance(block, Divider)
        return int(block.label)

    back = Scrollback(read, measure, lambda _block: 5)
    back.open([17] * len(pages))
    return back


def rows_of(pages: list[list[int]]) -> list[Location]:
    """Every row there is, in order."""
    return [
        Location(page, block, row)
        for page, blocks in enumerate(pages)
        for block, rows in enumerate(blocks)
        for row in range(rows)
    ]


@given(HEIGHTS.filter(any), st.integers(0, 500), st.integers(-60, 60))
def test_a_step_moves_by_true_rows(pages: list[list[int]], start: int, delta: int) -> None:
    """Stepping by n rows is n rows in the fully known list, though hardly any height was known."""
    rows = rows_of(pages)
    here = start % len(rows)
    there = min(max(here + delta, 0), len(rows) - 1)
    assert scrollback(pages).step(rows[here], delta) == rows[there]


@given(HEIGHTS.filter(any), st.integers(0, 500), st.integers(1, 50))
def test_a_view_shows_consecutive_rows(pages: list[list[int]], start: int, height: int) -> None:
    """A view from any row shows that row and those after it, to its height or the end."""
    rows = rows_of(pages)
    here = start % len(rows)
    assert scrollback(pages).view(rows[here], height) == rows[here : here + height]


@given(HEIGHTS.filter(any), st.integers(1, 50))
def test_the_end_shows_the_last_rows(pages: list[list[int]], height: int) -> None:
    """At the end, the last row of all is the last row of the view."""
    back = scrollback(pages)
    assert back.view(back.end(height), height) == rows_of(pages)[-height:]


@given(HEIGHTS.filter(any), st.integers(0, 500))
def test_row_numbers_are_true_once_all_is_known(pages: list[list[int]], start: int) -> None:
    """When everything was drawn, a place and its row number name each other."""
    back = scrollback(pages)
    rows = rows_of(pages)
    back.view(Location(0, 0, 0), len(rows) + 1)
    here = start % len(rows)
    assert back.row_of(rows[here]) == here
    assert back.location_at(here) == rows[here]
    assert back.total == len(rows)


def test_opening_at_the_end_reads_only_the_last_pages() -> None:
    """A long life opens by reading what the view shows."""
    reads: list[int] = []
    back = scrollback([[20] * 5] * 1000, reads)
    back.view(back.end(40), 40)
    assert set(reads) == {999}


def test_a_jump_into_the_middle_reads_only_there() -> None:
    """Dragging the scroll bar reads the page it lands on."""
    reads: list[int] = []
    back = scrollback([[20] * 5] * 1000, reads)
    location = back.location_at(back.total // 2)
    back.view(location, 40)
    assert 499 <= location.page <= 501
    assert len(set(reads)) <= 2


def test_memory_of_pages_is_bounded_and_heights_are_remembered() -> None:
    """Pages that were left are read again when needed; what was measured stays measured."""
    reads: list[int] = []
    back = scrollback([[7, 7]] * 200, reads)
    back.view(Location(0, 0, 0), 200 * 14)
    total = back.total
    back.view(Location(0, 0, 0), 10)
    assert back.total == total == 200 * 14
    assert reads.count(0) == 2


def test_session_blocks_stand_after_the_history() -> None:
    """What is said now comes after what was read, can be changed and taken away."""
    back = scrollback([[3]])
    locations = [back.append(Divider(str(rows))) for rows in range(1, 41)]
    shown = back.view(Location(0, 0, 0), 10_000)
    assert len(shown) == 3 + sum(range(1, 41))
    back.replace(locations[0], Divider("9"))
    back.remove(locations[-1])
    assert len(back.view(Location(0, 0, 0), 10_000)) == 3 + sum(range(2, 40)) + 9
    assert back.pages == 3


def test_a_reflow_forgets_heights_and_keeps_the_talk() -> None:
    """At another width all heights are guesses again, and nothing is missing."""
    back = scrollback([[3, 4], [5]])
    back.append(Divider("6"))
    everything = back.view(Location(0, 0, 0), 100)
    back.reflow(1.5)
    assert back.view(Location(0, 0, 0), 100) == everything


def test_nothing_at_all_has_no_rows() -> None:
    """An empty companion is no error."""
    back = scrollback([])
    assert back.view(back.end(40), 40) == []
    assert back.location_at(3) == Location(0, 0, 0)
    assert back.total == 0


@given(HEIGHTS.filter(any), st.integers(0, 500), st.integers(1, 12))
def test_reading_above_moves_nothing_in_view(
    pages: list[list[int]], start: int, height: int
) -> None:
    """The view from a place is the same before and after everything above it became known."""
    rows = rows_of(pages)
    top = rows[start % len(rows)]
    back = scrollback(pages)
    before = back.view(top, height)
    back.view(rows[0], len(rows))
    assert back.view(top, height) == before
