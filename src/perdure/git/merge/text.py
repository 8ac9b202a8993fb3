"""Three-way merge of text by lines, and by union. Our own: the library for it is GPL.

The rules are those of ``git merge-file``: changes that touch in the common text belong together,
the same change on both sides is one, and what both sides of a conflict begin or end with alike
stands outside its marks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Lines = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge without conflicts."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """A merge with conflicts.

    Attributes:
        content: the text with git's marks around what is in conflict.
        pairs: what stands against each other, ours and theirs.
    """

    content: bytes
    pairs: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Hunk:
    """One stretch of the common text and what a side, or both, made of it."""

    start: int
    end: int
    ours: Lines
    theirs: Lines
    kind: str


def lines_of(data: bytes) -> list[bytes]:
    """Lines with their ends; only LF ends one."""
    return _split(data)


def _split(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def merge_text(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    names: tuple[str, str] = ("ours", "theirs"),
) -> Merged | Conflict:
    """Merge three versions of a text.

    Args:
        base: the common past.
        ours: one side.
        theirs: the other.
        names: what the sides are called in the marks.
    """
    if theirs in (ours, base):
        return Merged(ours)
    if ours == base:
        return Merged(theirs)
    out: list[bytes] = []
    pairs: list[tuple[bytes, bytes]] = []
    for hunk in _hunks(lines_of(base), lines_of(ours), lines_of(theirs)):
        if hunk.kind != "both" or hunk.ours == hunk.theirs:
            out.extend(hunk.theirs if hunk.kind == "theirs" else hunk.ours)
            continue
        head, left, right, tail = _trimmed(hunk.ours, hunk.theirs)
        out.extend(head)
        out.extend(_marked(left, right, names))
        out.extend(tail)
        pairs.append((b"".join(left), b"".join(right)))
    content = b"".join(out)
    return Conflict(content, tuple(pairs)) if pairs else Merged(content)


def merge_union(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Merge three versions of a text; where both sides changed it, ours and then theirs."""
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    out: list[bytes] = []
    for hunk in _hunks(lines_of(base), lines_of(ours), lines_of(theirs)):
        if hunk.kind != "both" or hunk.ours == hunk.theirs:
            out.extend(hunk.theirs if hunk.kind == "theirs" else hunk.ours)
            continue
        head, left, right, tail = _trimmed(hunk.ours, hunk.theirs)
        out.extend((*head, *_ended(left, before=right or tail), *right, *tail))
    return b"".join(out)


def _ended(lines: Lines, *, before: Lines) -> list[bytes]:
    """The lines, with an end on the last one so that others can follow."""
    if not lines or not before or lines[-1].endswith(b"\n"):
        return list(lines)
    return [*lines[:-1], lines[-1] + b"\n"]


def _marked(left: Lines, right: Lines, names: tuple[str, str]) -> Iterator[bytes]:
    first, second = (name.replace("\n", " ").encode("utf-8", "replace") for name in names)
    yield b"<<<<<<< " + first + b"\n"
    yield from _closed(left)
    yield b"=======\n"
    yield from _closed(right)
    yield b">>>>>>> " + second + b"\n"


def _closed(lines: Lines) -> Iterator[bytes]:
    for line in lines:
        yield line if line.endswith(b"\n") else line + b"\n"


def _trimmed(
    ours: Lines, theirs: Lines
) -> tuple[list[bytes], list[bytes], list[bytes], list[bytes]]:
    """What both begin with, what differs, and what both end with."""
    left, right = list(ours), list(theirs)
    head: list[bytes] = []
    tail: list[bytes] = []
    while left and right and left[0] == right[0]:
        head.append(left.pop(0))
        right.pop(0)
    while left and right and left[-1] == right[-1]:
        tail.insert(0, left.pop())
        right.pop()
    return head, left, right, tail


def _changes(base: Lines, side: Lines) -> list[tuple[int, int, int, int]]:
    matcher = difflib.SequenceMatcher(None, base, side, autojunk=False)
    return [tuple4 for tag, *tuple4 in matcher.get_opcodes() if tag != "equal"]  # type: ignore[misc]


def _hunks(base: Lines, ours: Lines, theirs: Lines) -> Iterator[_Hunk]:
    """The whole text: stretches that nobody, one side or both have changed."""
    left, right = _changes(base, ours), _changes(base, theirs)
    at = 0
    shift = [0, 0]
    while left or right:
        start = min(rows[0][0] for rows in (left, right) if rows)
        end = start
        taken: tuple[list[tuple[int, int, int, int]], ...] = ([], [])
        grown = True
        while grown:
            grown = False
            for rows, mine in zip((left, right), taken, strict=True):
                while rows and rows[0][0] <= end:
                    row = rows.pop(0)
                    mine.append(row)
                    end = max(end, row[1])
                    grown = True
        if start > at:
            same = base[at:start]
            yield _Hunk(at, start, same, same, "same")
        texts = []
        for number, (side, mine) in enumerate(zip((ours, theirs), taken, strict=True)):
            before = start + shift[number]
            shift[number] += sum((row[3] - row[2]) - (row[1] - row[0]) for row in mine)
            texts.append(side[before : end + shift[number]])
        kind = "both" if taken[0] and taken[1] else "ours" if taken[0] else "theirs"
        yield _Hunk(start, end, texts[0], texts[1], kind)
        at = end
    if at < len(base):
        yield _Hunk(at, len(base), base[at:], base[at:], "same")
