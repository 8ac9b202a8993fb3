"""Ranges of turns on one line, as in the trailer ``Recalled`` (docs/format.md).

Each is ``<turn-id>`` or ``<turn-id>..<n>``, and leaves out what it has in common with the one
before: the whole conversation (``/12``), or the leading parts of its id, year, month and day
(``24-0910-1a2b3c4d/3``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.companion.memory.aside import TurnRange

_DATE = 3
"""Parts of a conversation's id that may be left out: year, month, day."""


def ranges_text(ranges: Sequence[TurnRange]) -> str:
    """Write ranges on one line, in their order."""
    words: list[str] = []
    before: list[str] = []
    for each in ranges:
        parts = each.conversation.text.split("-")
        word = str(each)
        if parts == before:
            word = word[len(each.conversation.text) :]
        else:
            same = 0
            while same < min(_DATE, len(before)) and parts[same] == before[same]:
                same += 1
            word = "-".join(word.split("-")[same:])
        words.append(word)
        before = parts
    return " ".join(words)


def read_ranges(text: str) -> tuple[TurnRange, ...]:
    """Read ranges from such a line. Raises ValueError."""
    from perdure.companion.memory.aside import TurnRange

    found: list[TurnRange] = []
    before: list[str] = []
    for word in text.split():
        conversation, slash, numbers = word.partition("/")
        parts = conversation.split("-") if conversation else []
        whole = [*before[: len(before) - len(parts)], *parts] if before else parts
        one = TurnRange.parse("-".join(whole) + slash + numbers)
        found.append(one)
        before = one.conversation.text.split("-")
    return tuple(found)
