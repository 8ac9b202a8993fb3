"""Rows of a history of several lines: what is one row, and that the lines still hold together."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.git.operations.branches import Branch
from perdure.git.repository.repository import Author, CommitInfo
from perdure.git.timeline.query import Listed
from perdure.views.timeline import (
    RefNames,
    TagName,
    children_first,
    collapse,
    collapse_lines,
)

AT = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)
MIRA = Author("Mira", "mira@example.invalid")


def listed(oid: str, parents: tuple[str, ...], talk: str = "") -> Listed:
    """A commit; a turn of a conversation where one is named."""
    info = CommitInfo(oid, parents, "", MIRA, AT, AT, f"commit {oid}", "", ())
    turn = f"{talk}/{oid}" if talk else None
    return Listed(info, "turn" if talk else "persona", turn, (), (0, 0))


def names(*tips: str, tags: tuple[str, ...] = ()) -> RefNames:
    """Branches on some commits, and tags on others."""
    return RefNames(
        tuple(Branch(f"on-{tip}", tip, AT, "", is_current=False) for tip in tips),
        tuple(TagName(f"at-{tag}", tag) for tag in tags),
    )


def test_turns_of_two_lines_that_were_said_in_turn_are_two_rows() -> None:
    """By time they alternate; each line is one row nevertheless."""
    found = [
        listed("a3", ("a2",), "x"),
        listed("b2", ("b1",), "y"),
        listed("a2", ("a1",), "x"),
        listed("b1", ("r",), "y"),
        listed("a1", ("r",), "x"),
        listed("r", ()),
    ]
    rows = collapse_lines(found, names("a3", "b2"))
    assert [(row.commit.id, row.turns, row.parents) for row in rows] == [
        ("a3", 3, ("r",)),
        ("b2", 2, ("r",)),
        ("r", 0, ()),
    ]
    opened = collapse_lines(found, names("a3", "b2"), {"a3"})
    assert [row.commit.id for row in opened] == ["a3", "b2", "a2", "a1", "r"]


def test_a_turn_that_something_hangs_on_begins_a_row() -> None:
    """A branch that begins there, a tag, and the commit that is checked out."""
    line = [listed(f"t{number}", (f"t{number - 1}",), "x") for number in range(9, 0, -1)]
    found = [*line[:3], listed("side", ("t6",)), *line[3:], listed("t0", ())]
    rows = collapse_lines(found, names("t9", tags=("t4",)), here="t2")
    assert [(row.commit.id, row.turns) for row in rows] == [
        ("t9", 3),
        ("side", 0),
        ("t6", 2),
        ("t4", 2),
        ("t2", 2),
        ("t0", 0),
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[Listed]:
    """Commits, none before one that descends from it, most of them turns."""
    count = draw(st.integers(1, 25))
    found = []
    for number in range(count):
        rest = count - number - 1
        most = min(draw(st.sampled_from([1, 1, 1, 1, 2])), rest)
        steps = draw(st.lists(st.integers(1, min(rest, 4)), max_size=most)) if rest else []
        parents = tuple(str(number + step) for step in dict.fromkeys(steps))
        found.append(listed(str(number), parents, draw(st.sampled_from(["x", "x", "x", "y", ""]))))
    return found


@given(histories(), st.sets(st.integers(0, 24)), st.sets(st.integers(0, 24)))
def test_rows_hold_together(found: list[Listed], tagged: set[int], opened: set[int]) -> None:
    """Every commit is in one row; a row goes on where another begins; names begin rows."""
    tags = tuple(str(each) for each in tagged if each < len(found))
    rows = collapse_lines(found, names(tags=tags), {str(each) for each in opened})
    begins = {row.commit.id for row in rows}
    assert all(parent in begins for row in rows for parent in row.parents)
    assert set(tags) <= begins
    assert sum(max(1, row.turns) for row in rows) == len(found)
    place = {row.commit.id: number for number, row in enumerate(rows)}
    assert all(place[p] > number for number, row in enumerate(rows) for p in row.parents)


@given(histories(), st.randoms(use_true_random=False))
def test_children_come_first(found: list[Listed], dice: random.Random) -> None:
    """However they were listed; what was in order stays as it was."""
    assert children_first(found) == found
    mixed = list(found)
    dice.shuffle(mixed)
    sorted_ = children_first(mixed)
    place = {each.commit.id: number for number, each in enumerate(sorted_)}
    assert sorted(place) == sorted(each.commit.id for each in found)
    assert all(place[p] > place[each.commit.id] for each in found for p in each.commit.parents)


def test_a_turn_of_two_commits_is_counted_once() -> None:
    """A message that got its reply later; a row that was opened stays so when it grows."""

    def said(oid: str, parent: str, turn: str) -> Listed:
        return replace(listed(oid, (parent,), "x"), turn=f"x/{turn}")

    found = [said("c3", "c2", "2"), said("c2", "c1", "2"), said("c1", "r", "1"), listed("r", ())]
    for rows in (collapse_lines(found, names("c3")), collapse(found, names("c3"))):
        assert [(row.turns, row.commits) for row in rows] == [(2, ("c3", "c2", "c1")), (0, ("r",))]
    grown = [said("c4", "c3", "3"), *found]
    for rows in (
        collapse_lines(grown, names("c4"), {"c3"}),
        collapse(grown, names("c4"), {"c3"}),
    ):
        assert [row.commit.id for row in rows] == ["c4", "c3", "c2", "c1", "r"]
        assert [row.begins_run for row in rows] == [True, False, False, False, False]
        assert rows[2].run == ("c4", "c3", "c2", "c1")
