"""Copying gives the source, not its picture."""

from __future__ import annotations

import pytest

from perdure.tui.transcript.selection import source_under


@pytest.mark.parametrize(
    ("shown", "source", "part", "copied"),
    [
        ("You are tired today", "You are *tired* today", "tired", "tired"),
        ("You are tired today", "You are *tired* today", "are tired today", "are *tired* today"),
        ("one two\nthree four", "one two three four", "two\nthree", "two three"),
        (" • the coat\n • a walk", "- the coat\n- a walk", "coat\n • a", "coat\n- a"),
        ("see here (https://e.example)", "see [here](https://e.example)", "here", "here"),
    ],
)
def test_a_part_is_found_in_the_source(shown: str, source: str, part: str, copied: str) -> None:
    """The marks between the selected words come along, folding and bullets do not."""
    start = shown.index(part)
    assert source_under(shown, source, start, start + len(part)) == copied


def test_the_whole_is_the_whole_source() -> None:
    """Selecting everything that is shown copies every mark, also those before the first word."""
    source = "**Bold** start and `code` end"
    shown = "Bold start and code end"
    assert source_under(shown, source, 0, len(shown)) == source


def test_nothing_selected_copies_nothing() -> None:
    """Air has no source."""
    assert source_under("a  b", "a b", 1, 3) == ""
