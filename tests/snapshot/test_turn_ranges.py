"""Ranges of turns on the line of a trailer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.ids import ConversationId
from perdure.companion.memory.aside import TurnRange
from perdure.snapshot.conversation.turn_ranges import ranges_text, read_ranges

TALK = "2026-11-22-1803-9f3a77c0"


def test_what_is_as_in_the_one_before_is_left_out() -> None:
    written = [
        f"{TALK}/7",
        f"{TALK}/9..12",
        "2026-11-24-0910-1a2b3c4d/3",
        "2026-12-24-0910-1a2b3c4d/3..4",
        "2027-12-24-0910-00000000/1",
    ]
    short = (
        f"{TALK}/7 /9..12 24-0910-1a2b3c4d/3 12-24-0910-1a2b3c4d/3..4 2027-12-24-0910-00000000/1"
    )
    ranges = [TurnRange.parse(each) for each in written]
    assert ranges_text(ranges) == short
    assert read_ranges(short) == tuple(ranges)
    assert read_ranges(" ".join(written)) == tuple(ranges)
    assert read_ranges("") == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2026-11-22-1803", "2026-11-22-1804", "2026-11-03-0101"]),
            st.sampled_from(["9f3a77c0", "00000000"]),
            st.integers(0, 999),
            st.integers(0, 3),
        ),
        max_size=9,
    )
)
def test_any_ranges_are_read_back(given_: list[tuple[str, str, int, int]]) -> None:
    ranges = tuple(
        TurnRange(ConversationId(f"{minute}-{digits}"), first, first + more)
        for minute, digits, first, more in given_
    )
    assert read_ranges(ranges_text(ranges)) == ranges


@pytest.mark.parametrize("text", ["/3", "24-0910-1a2b3c4d/3", f"{TALK}/7 /x", f"{TALK}/7 a-b/3"])
def test_what_names_no_turn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_ranges(text)
