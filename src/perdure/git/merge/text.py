"""Three-way merge of text by lines, and by union where ``.gitattributes`` asks for it.

Our own: the library for it is GPL. The rules are those of ``git merge-file``: changes that touch in
the common text belong together, the same change on both sides is one, and what both sides of a
conflict begin or end with alike stands outside its marks.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perdure.git.worktree import ignore

_MOST_ATTRIBUTES = 64 * 1024
"""Of the file that is looked at; a longer one says nothing, and what differs is a conflict."""
Lines = Sequence[bytes]
Stretch = tuple[Lines, Lines, Lines, Lines, Lines]
"""Lines that stand, then ours and theirs against each other, then again lines that stand; and what
stood there in the common past."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Three versions as one.

    Attributes:
        content: the text, with git's marks around what is in conflict.
        pairs: what stands against each other, ours and theirs; empty without a conflict.
        starts: without marks: for each pair the line of ``content``, from 0, at which it stands.
    """

    content: bytes
    pairs: tuple[tuple[bytes, bytes], ...] = ()
    starts: tuple[int, ...] = ()


def text_lines(data: bytes) -> list[bytes]:
    """Lines with their ends; only LF ends one."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def merge_text(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    names: tuple[str, str] = ("ours", "theirs"),
) -> Merged:
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
    for head, left, right, tail, _ in _stretches(
        text_lines(base), text_lines(ours), text_lines(theirs)
    ):
        out.extend(head)
        if left or right:
            out.extend(_marked(left, right, names))
            pairs.append((b"".join(left), b"".join(right)))
        out.extend(tail)
    return Merged(b"".join(out), tuple(pairs))


def merge_taking(base: bytes, kept: bytes, other: bytes) -> Merged:
    """Merge three versions of a text without marks: what conflicts is as in ``kept``.

    Args:
        base: the common past.
        kept: the side that is taken where both changed the same lines.
        other: the other side.
    """
    out: list[bytes] = []
    pairs: list[tuple[bytes, bytes]] = []
    starts: list[int] = []
    for head, left, right, tail, _ in _stretches(
        text_lines(base), text_lines(kept), text_lines(other)
    ):
        out.extend(head)
        if left or right:
            pairs.append((b"".join(left), b"".join(right)))
            starts.append(len(out))
        out.extend((*_ended(left, before=tail), *tail))
    return Merged(b"".join(out), tuple(pairs), tuple(starts))


def merge_union(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Merge three versions of a text; where both sides changed it, ours and then theirs."""
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    out: list[bytes] = []
    for head, left, right, tail, _ in _stretches(
        text_lines(base), text_lines(ours), text_lines(theirs)
    ):
        out.extend((*head, *_ended(left, before=right or tail), *right, *tail))
    return b"".join(out)


def merge_lists(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """`merge_union`, with the items of lists as sets: what one side took out stays out.

    An item is a line that begins with ``- `` and the indented lines below it. One that both sides
    added stands once.
    """
    out: list[bytes] = []
    texts = (text_lines(base), text_lines(ours), text_lines(theirs))
    for head, left, right, tail, before in _stretches(*texts):
        here, there, past = ({_item(each) for each in _blocks(p)} for p in (left, right, before))
        gone = past - there
        mine = [line for each in _blocks(left) if _item(each) not in gone for line in each]
        known = past | here
        other = [line for each in _blocks(right) if _item(each) not in known for line in each]
        out.extend((*head, *_ended(mine, before=other or tail), *_ended(other, before=tail), *tail))
    return b"".join(out)


def _blocks(lines: Lines) -> list[list[bytes]]:
    """Lines as items of a list, with what belongs to each, and single other lines."""
    found: list[list[bytes]] = []
    for line in lines:
        if found and found[-1][0].startswith(b"- ") and line.startswith((b" ", b"\t")):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def _item(block: Lines) -> object:
    """What makes an item the same as another; any other line is the same as none."""
    if not block[0].startswith(b"- "):
        return object()
    return tuple(line.rstrip() for line in block)


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


def _trimmed(ours: Lines, theirs: Lines, before: Lines) -> Stretch:
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
    return head, left, right, tail, before


def _changes(base: Lines, side: Lines) -> list[tuple[int, int, int, int]]:
    matcher = difflib.SequenceMatcher(None, base, side, autojunk=False)
    return [tuple4 for tag, *tuple4 in matcher.get_opcodes() if tag != "equal"]  # type: ignore[misc]


def _stretches(base: Lines, ours: Lines, theirs: Lines) -> Iterator[Stretch]:
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
        yield base[at:start], (), (), (), ()
        texts = []
        for number, (side, mine) in enumerate(zip((ours, theirs), taken, strict=True)):
            before = start + shift[number]
            shift[number] += sum((row[3] - row[2]) - (row[1] - row[0]) for row in mine)
            texts.append(side[before : end + shift[number]])
        if taken[0] and taken[1] and texts[0] != texts[1]:
            yield _trimmed(texts[0], texts[1], base[start:end])
        else:
            yield texts[0 if taken[0] else 1], (), (), (), ()
        at = end
    yield base[at:], (), (), (), ()


def union_paths(data: bytes) -> Callable[[str], bool]:
    """Whether a path has ``merge=union``; the last line about it decides.

    Args:
        data: the root's ``.gitattributes``.
    """
    if len(data) > _MOST_ATTRIBUTES:
        return lambda _: False
    rules: list[tuple[ignore.Rule, bool]] = []
    for line in data.split(b"\n"):
        words = line.split()
        if len(words) < 2 or words[0].startswith((b"#", b"[", b"!")):
            continue
        values = [word for word in words[1:] if word.lstrip(b"-!").partition(b"=")[0] == b"merge"]
        is_short = len(words[0]) <= ignore.LONGEST_RULE
        rule = ignore.rule(words[0]) if values and is_short else None
        # A pattern that ends in a slash is about folders, and attributes are of files.
        if rule is not None and not rule.is_folder:
            rules.append((rule, values[-1] == b"merge=union"))
    rules.reverse()

    def is_union(path: str) -> bool:
        raw = os.fsencode(path)
        return next((union for rule, union in rules if rule.matches(raw)), False)

    return is_union
