"""Running sums stay right whatever is corrected."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from perdure.tui.transcript.scrollback import RowSums

ROWS = st.lists(st.integers(min_value=0, max_value=400), max_size=60)


@given(ROWS, st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 900)), max_size=20), ROWS)
def test_sums_agree_with_plain_addition(
    rows: list[int], corrections: list[tuple[int, int]], later: list[int]
) -> None:
    """After any corrections and additions, starts and total are those of a plain list."""
    sums, plain = RowSums(rows), list(rows)
    for place, value in corrections:
        if plain:
            sums.set(place % len(plain), value)
            plain[place % len(plain)] = value
    for value in later:
        sums.append(value)
        plain.append(value)
    assert [sums.start(number) for number in range(len(plain) + 1)] == [
        0,
        *accumulate(plain),
    ]
    assert sums.total == sum(plain)


@given(ROWS.filter(any))
def test_every_row_is_found_on_its_page(rows: list[int]) -> None:
    """Locating each row in turn walks all pages from the first row to the last."""
    sums = RowSums(rows)
    expected = [(page, offset) for page, count in enumerate(rows) for offset in range(count)]
    assert [sums.locate(row) for row in range(sum(rows))] == expected


@given(ROWS.filter(any), st.integers(min_value=0, max_value=10_000))
def test_rows_beyond_the_end_are_the_last_row(rows: list[int], beyond: int) -> None:
    """A scroll bar dragged too far lands at the end."""
    last = max(page for page, count in enumerate(rows) if count)
    assert RowSums(rows).locate(sum(rows) + beyond) == (last, rows[last] - 1)
