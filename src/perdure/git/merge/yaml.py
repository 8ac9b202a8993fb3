"""Three-way merge of settings: by the keys that begin at the margin, and within one by lines.

Two sides that each add a key at the end have changed the same place of the text, but not the same
setting.
"""

from __future__ import annotations

import re

from perdure.git.merge.text import Merged, merge_taking, text_lines

_KEY = re.compile(rb"""("[^"\n]*"|'[^'\n]*'|[^\s#"'\-?:\[\]{}&*!|>%@`,][^:#\n]*?)\s*:(?:\s|$)""")
"""A line that begins a key of a YAML mapping, plain or in quotes."""
_ASIDE = re.compile(rb"#|\s*$")
"""A comment at the margin, or an empty line."""
_Place = tuple[bytes, bool]
_Blocks = dict[_Place, list[bytes]]
"""By key: its lines, and under True the comments behind them; what stands first has the key b""."""


def merge_yaml(base: bytes, kept: bytes, other: bytes) -> Merged:
    """Merge three versions of a YAML mapping without marks.

    Args:
        base: the common past.
        kept: the side that is taken where both changed the same lines of one key.
        other: the other side.

    Returns:
        The keys in the order of ``kept``, each of the other side's behind the one it followed.
        A version with a key twice is merged by lines alone.
    """
    past = _blocks(base, None)
    mine, theirs = _blocks(kept, past), _blocks(other, past)
    if past is None or mine is None or theirs is None:
        return merge_taking(base, kept, other)
    out: list[bytes] = []
    pairs: list[tuple[bytes, bytes]] = []
    starts: list[int] = []
    for place in _order(list(mine), list(theirs)):
        sides = (b"".join(each.get(place, ())) for each in (past, mine, theirs))
        merged = merge_taking(*sides)
        if out and merged.content and not out[-1].endswith(b"\n"):
            out[-1] += b"\n"
        pairs += merged.pairs
        starts += (len(out) + start for start in merged.starts)
        out += text_lines(merged.content)
    return Merged(b"".join(out), tuple(pairs), tuple(starts))


def _blocks(text: bytes, past: _Blocks | None) -> _Blocks | None:
    """A text by its keys; None where a key is there twice.

    Comments between two keys stay behind the upper one as far as they did in the past; new ones
    belong to the lower. Without a past all stay behind the upper one.
    """
    key = b""
    found: _Blocks = {(key, False): [], (key, True): []}
    aside: list[bytes] = []
    for line in text_lines(text):
        begins = _KEY.match(line)
        if begins is None and _ASIDE.match(line):
            aside.append(line)
            continue
        if begins is not None:
            stays = len(aside) if past is None else _alike(aside, past.get((key, True), []))
            found[key, True] += aside[:stays]
            aside = aside[stays:]
            key = begins[1].strip(b"\"'")
            if (key, False) in found:
                return None
            found |= {(key, False): [], (key, True): []}
        found[key, False] += [*aside, line]
        aside = []
    found[key, True] += aside
    return found


def _alike(some: list[bytes], others: list[bytes]) -> int:
    """How many lines are the same at the beginning of both."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(some), len(others)))


def _order(mine: list[_Place], theirs: list[_Place]) -> list[_Place]:
    found = list(mine)
    for at, place in enumerate(theirs):
        if place not in found:
            found.insert(found.index(theirs[at - 1]) + 1, place)
    return found
