"""Split turns off into a conversation of their own when their numbers are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from perdure.companion.conversation.chunk import CHUNK_LIMIT, render_head, render_turn
from perdure.companion.conversation.edit import alternatives_path
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Reply, Turn

WAS = "was"
_LAST_ANSWER = 999_999


@dataclass(frozen=True, slots=True)
class SplitOff:
    """The turns to split off, and where they come from.

    Attributes:
        conversation: the conversation in which they stood.
        path: the chunk in which the first of them stood.
        head: its front matter: title and participants are the same.
        continues: the turn before them.
        aside: other answers to them, by their number.
        joins: ends of other lines before them.
    """

    conversation: ConversationId
    path: str
    head: ChunkHead
    continues: TurnId | None
    aside: Mapping[int, Sequence[Reply]]
    joins: tuple[TurnId, ...] = ()


def split_off(
    apart: SplitOff, turns: Sequence[Turn]
) -> tuple[dict[str, bytes], dict[TurnId, TurnId]]:
    """Write turns as a new conversation; the same turns always make the same one.

    Returns:
        Files by path, and the new id of each turn by its old one.
    """
    body = b"".join(render_turn(turn) for turn in turns)
    digits = hashlib.sha256(f"{apart.conversation}\n".encode() + body).hexdigest()[:8]
    at = _time(turns)
    minute = f"{at:%Y-%m-%d-%H%M}" if at else apart.conversation.minute
    own = ConversationId(f"{minute}-{digits}")
    folder = f"{at:%Y-%m}/{at:%d}" if at else "/".join(apart.path.split("/")[1:3])
    head = ChunkHead(
        own,
        1,
        apart.head.title,
        apart.head.participants,
        apart.continues,
        apart.joins,
        at or apart.head.started,
    )
    # A greeting stays one.
    numbered = list(enumerate(turns, 0 if turns[0].number == 0 else 1))
    chunks, others = _in_chunks(apart, numbered)
    moved: dict[TurnId, TurnId] = {}
    for number, turn in numbered:
        moved.setdefault(TurnId(apart.conversation, turn.number), TurnId(own, number))
    files: dict[str, bytes] = {}
    for place, (inner, other) in enumerate(zip(chunks, others, strict=True), 1):
        path = f"conversations/{folder}/{minute}-{place:04d}-{digits}.md"
        here = replace(head, chunk=place)
        files[path] = render_head(here) + b"".join(map(render_turn, inner))
        if other:
            front = render_head(here.aside)
            files[alternatives_path(path)] = front + b"".join(map(render_turn, other))
    return files, moved


def _in_chunks(
    apart: SplitOff, numbered: Sequence[tuple[int, Turn]]
) -> tuple[list[list[Turn]], list[list[Turn]]]:
    """The turns under their new numbers, chunk by chunk, and beside each chunk its alternatives."""
    chunks: list[list[Turn]] = [[]]
    others: list[list[Turn]] = [[]]
    size = 0
    for number, turn in numbered:
        if size >= CHUNK_LIMIT:
            chunks.append([])
            others.append([])
            size = 0
        new = _moved(turn, apart.conversation, number)
        chunks[-1].append(new)
        size += len(render_turn(new))
        hidden = apart.aside.get(turn.number, ())
        if hidden:
            was = f"{apart.conversation}/{turn.number}"
            others[-1].append(Turn(number, None, tuple(_with_was(r, was) for r in hidden)))
    return chunks, others


def free_number(taken: set[int]) -> int:
    """A free answer number: above all others while there is room."""
    highest = max(taken, default=0) + 1
    if highest <= _LAST_ANSWER:
        return highest
    return next(number for number in range(1, _LAST_ANSWER) if number not in taken)


def with_number(
    reply: Reply, conversation: ConversationId, turn: int, fresh: Mapping[int, int]
) -> Reply:
    """A reply with its answer's new number, if that has changed."""
    number = fresh.get(reply.answer)
    if number is None:
        return reply
    return replace(_with_was(reply, f"{conversation}/{turn}"), answer=number)


def _moved(turn: Turn, conversation: ConversationId, number: int) -> Turn:
    was = f"{conversation}/{turn.number}"
    message = turn.message
    if message is not None:
        message = replace(message, notes=_noted(message.notes, was))
    return Turn(number, message, tuple(_with_was(reply, was) for reply in turn.replies))


def _with_was(reply: Reply, turn: str) -> Reply:
    return replace(reply, notes=_noted(reply.notes, f"{turn}~{reply.answer}"))


def _noted(notes: Mapping[str, str], was: str) -> dict[str, str]:
    """Notes that record the former id; ids from earlier merges come first."""
    before = notes.get(WAS, "")
    return {**notes, WAS: f"{before} {was}" if before else was}


def _time(turns: Sequence[Turn]) -> datetime | None:
    """When the first of the turns was said, if an id can be made of it."""
    first = turns[0]
    times = [first.message.at if first.message else None, *(r.at for r in first.replies)]
    at = next((time for time in times if time is not None), None)
    return at if at is not None and at.year >= 1000 else None
