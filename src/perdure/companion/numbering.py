"""Which turns a chunk holds, without reading their texts: what counting far back needs."""

from __future__ import annotations

import re

from perdure.companion.conversation.chunk import parse_chunks

_BLOCK = (
    rb"\n#### (?:0|[1-9][0-9]{0,8})(?:~[1-9][0-9]{0,5})?(?: \xc2\xb7 [^\n]*)?\n"
    rb"\n(?:>(?: [^\n]*)?\n)+"
)
_SOUND = re.compile(rb"---\n(?:(?!---\n|> |#### )[^\n]*\n)*---\n(?:%b)*" % _BLOCK)
"""A chunk as it is written; in anything else the reader decides what is a turn."""
_HEADER = re.compile(rb"^#### ([0-9]+)(~)?", re.MULTILINE)


def turn_numbers(data: bytes, path: str | None = None) -> list[int]:
    """Numbers of the turns of a chunk, in its order, as `parse_chunks` finds them.

    Args:
        data: the chunk.
        path: its path in the tree.
    """
    if not _SOUND.fullmatch(data):
        return [turn.number for chunk in parse_chunks(data, path) for turn in chunk.turns]
    numbers: list[int] = []
    for digits, answer in _HEADER.findall(data):
        number = int(digits)
        # An answer belongs to the turn above it, where it has that one's number.
        if not answer or not numbers or numbers[-1] != number:
            numbers.append(number)
    return numbers
