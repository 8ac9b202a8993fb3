"""Texts compared: lines first, then words inside what changed. Knows no file and no screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby, pairwise
from typing import Literal

# Scripts that are written without spaces: kana, Han. Every character is a word of its own.
_SINGLE = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Marks that `\w` leaves out although they stand inside words: accents, Indic and Thai vowels.
_MARKS = "\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u200c"
# What belongs to the sign before it: variation selectors, skin tones, joined emoji.
_JOINED = "[\ufe0e\ufe0f\u0300-\u036f\u20e3\U0001f3fb-\U0001f3ff]|\u200d[^\\s\\w]"
_TOKEN = re.compile(
    rf"(?P<word>[{_SINGLE}]|(?:[^\W{_SINGLE}]|[{_MARKS}])+(?:['\u2019](?:[^\W{_SINGLE}]|[{_MARKS}])+)*)"
    rf"|\n|[^\S\n]+|[^\w\s](?:{_JOINED})*"
)
_MOST_EDITS = 400
"""Insertions and deletions up to which the shortest edit is looked for."""
_MOST_TOKENS = 6000
"""Words on both sides of one changed block, above which the block is shown as a whole."""

Kind = Literal["same", "gone", "come"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is on both sides, or on one."""

    kind: Kind
    text: str


def split_words(text: str) -> list[str]:
    """Split a text into words, punctuation and spaces; joined, they are the text again.

    Chinese and Japanese count each character as a word. A line end is a piece of its own.
    """
    return [found[0] for found in _TOKEN.finditer(text)]


def count_words(text: str) -> Counter[str]:
    """How often each word occurs in a text."""
    return Counter(found[0] for found in _TOKEN.finditer(text) if found["word"])


def words_changed(old: str, new: str) -> tuple[int, int]:
    """How many words were added and removed, as `compare` would mark them."""
    added = removed = 0
    for piece in compare(old, new):
        if piece.kind != "same":
            count = count_words(piece.text).total()
            added += count * (piece.kind == "come")
            removed += count * (piece.kind == "gone")
    return added, removed


def compare(old: str, new: str) -> list[Piece]:
    """Compare two texts, word by word.

    The pieces that are not ``come`` join to ``old``, those that are not ``gone`` to ``new``. Lines
    are matched first, so that long texts cost little; then words inside changed lines. A changed
    block of many thousand words is given as a whole.
    """
    before, after = split_lines(old), split_lines(new)
    pieces: list[Piece] = []
    at, to = 0, 0
    for left, right, size in [*matching_lines(before, after), (len(before), len(after), 0)]:
        pieces += _block("".join(before[at:left]), "".join(after[to:right]))
        if size:
            pieces.append(Piece("same", "".join(before[left : left + size])))
        at, to = left + size, right + size
    return [
        Piece(kind, "".join(piece.text for piece in group))
        for kind, group in groupby(pieces, key=lambda piece: piece.kind)
    ]


def split_lines(text: str) -> list[str]:
    """Split a text into lines, with their ends; only LF ends a line."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _block(old: str, new: str) -> Iterator[Piece]:
    """Compare one changed block, word by word."""
    before, after = split_words(old), split_words(new)
    if not before or not after or len(before) + len(after) > _MOST_TOKENS:
        if old:
            yield Piece("gone", old)
        if new:
            yield Piece("come", new)
        return
    at, to = 0, 0
    blocks = _without_islands(matching_lines(before, after), before, after)
    for left, right, size in [*blocks, (len(before), len(after), 0)]:
        if at < left:
            yield Piece("gone", "".join(before[at:left]))
        if to < right:
            yield Piece("come", "".join(after[to:right]))
        if size:
            yield Piece("same", "".join(before[left : left + size]))
        at, to = left + size, right + size


def _without_islands(
    blocks: Sequence[tuple[int, int, int]], before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[int, int, int]]:
    """Drop matches that are only a space between two changed words."""
    for left, right, size in blocks:
        text = "".join(before[left : left + size])
        at_an_end = (left, right) == (0, 0) or (
            (left + size, right + size) == (len(before), len(after))
        )
        if at_an_end or text.strip() or "\n" in text:
            yield left, right, size


def matching_lines(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    """Runs common to both sequences, in order: (place in old, place in new, length).

    They leave the fewest deletions and insertions (Myers, "An O(ND) Difference Algorithm"); only
    texts with thousands of changed lines are matched more roughly.
    """
    head = 0
    short = min(len(old), len(new))
    while head < short and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < short - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    pairs = _shortest(a, b)
    if pairs is None:
        blocks = SequenceMatcher(None, a, b, autojunk=len(a) + len(b) > 20_000)
        pairs = [
            (left + step, right + step)
            for left, right, size in blocks.get_matching_blocks()
            for step in range(size)
        ]
    whole = [(step, step) for step in range(head)]
    whole += [(head + left, head + right) for left, right in pairs]
    whole += [(len(old) - step, len(new) - step) for step in range(tail, 0, -1)]
    return _runs(whole)


def _runs(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    runs: list[tuple[int, int, int]] = []
    start = 0
    for number, (here, following) in enumerate(pairwise([*pairs, (-1, -1)])):
        if following != (here[0] + 1, here[1] + 1):
            runs.append((*pairs[start], number + 1 - start))
            start = number + 1
    return runs


def _shortest(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]] | None:
    """The matches of a shortest edit; None if it would take too many steps to find."""
    n, m = len(a), len(b)
    if not n or not m or set(a).isdisjoint(b):
        return []
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(n + m, _MOST_EDITS) + 1):
        trace.append(furthest.copy())
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (
                diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]
            )
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            y = x - diagonal
            while x < n and y < m and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= n and y >= m:
                return _walk_back(trace, n, m)
    return None


def _walk_back(trace: Sequence[dict[int, int]], n: int, m: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    x, y = n, m
    for edits in range(len(trace) - 1, -1, -1):
        furthest = trace[edits]
        diagonal = x - y
        down = diagonal == -edits or (
            diagonal != edits and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
        )
        before = diagonal + 1 if down else diagonal - 1
        start_x = furthest.get(before, 0) if edits else 0
        start_y = start_x - before if edits else 0
        while x > start_x and y > start_y and x > 0 and y > 0:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = start_x, start_y
    pairs.reverse()
    return pairs


CONTEXT = 1
"""Lines that are shown on either side of a change."""


@dataclass(slots=True)
class Row:
    """One line of a diff; ``number`` is its line number in the newer text."""

    number: int
    pieces: list[Piece] = field(default_factory=list)
    changed: bool = False


def changed_lines(old: str, new: str) -> Iterator[tuple[bool, Row]]:
    """The rows to show, each with whether lines before it were left out."""
    rows = _rows(compare(old, new))
    wanted = {
        near
        for place, row in enumerate(rows)
        if row.changed
        for near in range(place - CONTEXT, place + CONTEXT + 1)
    }
    last = -1
    for place, row in enumerate(rows):
        if place in wanted:
            yield place != last + 1, row
            last = place


def _rows(pieces: Sequence[Piece]) -> list[Row]:
    rows = [Row(1)]
    number = 1
    for piece in pieces:
        parts = piece.text.split("\n")
        for place, part in enumerate(parts):
            if place:
                number += piece.kind != "gone"
                rows.append(Row(number))
            if part:
                rows[-1].pieces.append(Piece(piece.kind, part))
            # A line end alone marks the line that it ends, not the one behind it.
            is_rest = place == len(parts) - 1 and not part
            rows[-1].changed |= piece.kind != "same" and not is_rest
    return rows if rows[-1].pieces else rows[:-1]
