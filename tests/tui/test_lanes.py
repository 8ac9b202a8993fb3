"""The lanes of the branch graph: what is drawn has the very links that the commits have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perdure.terminal.glyphs import ASCII, UNICODE, Glyphs
from perdure.tui.timeline.lanes import LaneRow, Lanes

Commits = list[tuple[str, tuple[str, ...]]]


@st.composite
def commits(draw: st.DrawFn) -> Commits:
    """Commits, none before one that descends from it; most have one parent, some none or many."""
    count = draw(st.integers(1, 30))
    found: Commits = []
    for number in range(count):
        rest = count - number - 1
        most = draw(st.sampled_from([1, 1, 1, 1, 2, 2, 3, 0]))
        near = st.integers(1, min(rest, 6)) if rest else st.nothing()
        steps = draw(st.lists(near, min_size=min(most, 1, rest), max_size=most)) if rest else []
        found.append((str(number), tuple(str(number + step) for step in dict.fromkeys(steps))))
    return found


def placed(graph: Commits, first: str = "") -> list[LaneRow]:
    """Their rows."""
    lanes = Lanes(first)
    return [lanes.place(*commit) for commit in graph]


def drawn(graph: Commits, glyphs: Glyphs = UNICODE, most: int = 40, first: str = "") -> list[str]:
    """Their rows as text; every commit is shown by a ●, or an o."""
    sign = "o" if glyphs is ASCII else "●"
    return [row.drawn(sign, glyphs, most) for row in placed(graph, first)]


def traced(rows: list[str]) -> set[tuple[int, int]]:
    """Links between rows, read from the drawing alone: along the lines down to the next commit."""
    found = set()
    for number, text in enumerate(rows):
        node = text.index("●")
        starts = [node]
        for way in (1, -1):
            at = node + way
            while 0 <= at < len(text) and text[at] in "─│╮╯┤├":
                beside = text[at - way]
                if text[at] == "│" and beside != "─":
                    break
                if text[at] in "╮┤├":
                    starts.append(at)
                at += way
        for start in starts:
            end = followed(rows, number + 1, start)
            if end is not None:
                found.add((number, end))
    return found


def followed(rows: list[str], number: int, at: int) -> int | None:
    """The row of the commit that a lane leads to; None where no lane begins."""
    while number < len(rows):
        sign = rows[number][at] if at < len(rows[number]) else " "
        if sign in "●╯":
            return number
        if sign not in "│┤├":
            return None
        number += 1
    return None


@given(commits(), st.integers(0, 12))
def test_the_drawing_has_the_links_of_the_commits(graph: Commits, first: int) -> None:
    """All of them, and no other: read back from the signs alone."""
    kept = str(first) if first < len(graph) else ""
    text = drawn(graph, first=kept)
    wanted = {(int(node), int(parent)) for node, parents in graph for parent in parents}
    # A lane that stands where a commit without descendants comes next leads nowhere else.
    assert wanted <= traced(text)
    roots = {int(node) for node, parents in graph if not parents}
    assert {link for link in traced(text) - wanted if link[0] not in roots} == set()
    assert not kept or text[first].index("●") == 0


@given(commits(), st.integers(0, 12))
def test_lanes_are_whole(graph: Commits, first: int) -> None:
    """A lane that leaves a row downwards is there in the next one, and none comes from nowhere."""
    below: set[int] = set()
    roots = {node for node, parents in graph if not parents}
    kept = str(first) if first < len(graph) else ""
    for (node, _), row in zip(graph, placed(graph, kept), strict=True):
        through = {at for at, cell in enumerate(row.cells) if cell in ("lane", "meets", "touches")}
        ends = {at for at, cell in enumerate(row.cells) if cell == "closes"}
        assert below - {row.at} == through | ends
        begins = {at for at, cell in enumerate(row.cells) if cell == "opens"}
        below = through | begins | (set() if node in roots else {row.at})
        assert row.cells[row.at] == "node"
    assert not below


@given(commits(), st.integers(1, 4))
def test_a_narrow_drawing_keeps_every_commit(graph: Commits, most: int) -> None:
    """Cut to a few columns, each row still shows its commit, and none is wider."""
    for text in drawn(graph, most=most):
        assert text.count("●") == 1
        assert len(text) <= 2 * most - 1


@given(commits())
def test_without_unicode_the_shape_is_the_same(graph: Commits) -> None:
    """ASCII signs stand where the others do."""
    for plain, other in zip(drawn(graph, ASCII), drawn(graph), strict=True):
        assert plain.isascii()
        assert [sign == " " for sign in plain] == [sign == " " for sign in other]


def test_a_branch_and_a_merge() -> None:
    """As one would draw them by hand."""
    graph = [
        ("h", ("g",)),
        ("x", ("e",)),
        ("g", ("f", "y")),
        ("f", ("e",)),
        ("y", ("e",)),
        ("e", ("d",)),
        ("d", ()),
    ]
    assert drawn(graph) == ["●", "│ ●", "●─│─╮", "● │ │", "│ │ ●", "●─╯─╯", "●"]
    assert drawn(graph, ASCII) == ["o", "| o", r"o-|-\ ".strip(), "o | |", "| | o", "o-/-/", "o"]


def test_a_merge_of_what_has_a_lane_already() -> None:
    """The line joins the lane that is there."""
    graph = [("a", ("c",)), ("b", ("d", "c")), ("c", ("d",)), ("d", ())]
    assert drawn(graph) == ["●", "├─●", "● │", "●─╯"]


def test_the_leftmost_column_is_kept() -> None:
    """What is newer than the commit that is checked out does not take its place."""
    graph = [("x", ("y",)), ("a", ("b",)), ("y", ("b", "a2")), ("a2", ("b",)), ("b", ())]
    assert drawn(graph, first="a") == ["  ●", "● │", "│ ●─╮", "│ │ ●", "●─╯─╯"]


def test_a_parent_that_came_before_is_left_out() -> None:
    """Clocks that were wrong, without an index: no lane runs on for ever."""
    assert drawn([("p", ()), ("c", ("p",)), ("d", ())]) == ["●", "●", "●"]
