"""A conversation as a record for a model: numbered, quoted line by line, cut to fit.

Every line of it begins with ``> ``, so no text in it can end the record and speak for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from perdure.companion.config.settings import CompanionSettings
from perdure.companion.conversation.speaker import current_name
from perdure.companion.turns import Turn

_SHORTEST = 200
"""Characters of a message that is cut again and again because nothing else fits."""


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """One message of a conversation."""

    turn: int
    speaker: str
    text: str
    by_user: bool = False


def messages_of(turns: Iterable[Turn], settings: CompanionSettings) -> tuple[RecordMessage, ...]:
    """The messages of turns, under the names that she and the user have now.

    A stand-in's replies are left out: they should leave no trace.
    """
    found = []
    for turn in turns:
        if turn.message is not None:
            found.append(RecordMessage(turn.number, settings.user, turn.message.text, by_user=True))
        found += [
            RecordMessage(turn.number, current_name(turn, reply, settings), reply.text)
            for reply in turn.replies
            if not reply.stand_in
        ]
    return tuple(one for one in found if one.text.strip())


def quoted_block(text: str) -> str:
    """Put ``> `` before each line of a text, whatever ends the lines."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or ">"


def render_record(messages: Sequence[RecordMessage]) -> str:
    """Write the record; each message begins with its turn's number in square brackets.

    Its further lines are indented, so that none of them can pass for the next message.
    """
    return "\n".join(
        quoted_block(f"[{one.turn}] {' '.join(one.speaker.split())}: {_set_in(one.text)}")
        for one in messages
    )


def _set_in(text: str) -> str:
    return "\n    ".join(text.strip().splitlines())


def portion(
    messages: Sequence[RecordMessage], fits: Callable[[Sequence[RecordMessage]], bool]
) -> tuple[tuple[RecordMessage, ...], tuple[RecordMessage, ...]]:
    """Take as many whole turns from the front as fit; returns their messages and the others.

    At least one turn: if not even that fits, its messages are cut in the middle. So taking one
    portion after another always comes to an end. Both are empty where even 200 characters of each
    message are too many.
    """
    ends = [
        at
        for at in range(1, len(messages) + 1)
        if at == len(messages) or messages[at].turn != messages[at - 1].turn
    ]
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(messages[: ends[middle - 1]]):
            low = middle
        else:
            high = middle - 1
    if low:
        return tuple(messages[: ends[low - 1]]), tuple(messages[ends[low - 1] :])
    first = tuple(messages[: ends[0]]) if ends else ()
    longest = max((len(one.text) for one in first), default=0)
    while longest > _SHORTEST:
        longest = max(_SHORTEST, longest // 2)
        cut = tuple(replace(one, text=_cut(one.text, longest)) for one in first)
        if fits(cut):
            return cut, tuple(messages[ends[0] :])
    return (), ()


def _cut(text: str, most: int) -> str:
    """Cut out the middle of a long message: what was meant is at its ends."""
    if len(text) <= most:
        return text
    return f"{text[: most * 2 // 3]} … {text[-(most // 3) :]}"
