"""What the transcript is made of: dividers, speeches and panels, made from turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from perdure.companion.errors import Trouble
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import (
    Message,
    Reply,
    Turn,
)

if TYPE_CHECKING:
    from perdure.snapshot.conversation.transcript import TurnMarks

Mark = Literal[
    "interrupted",
    "stand-in",
    "unanswered",
    "rehearsal",
    "queued",
    "uncommitted",
    "answers",
    "aside",
]


@dataclass(frozen=True, slots=True)
class Divider:
    """A rule across the column: a new day, or a new conversation with its title."""

    label: str
    title: str = ""
    opening: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """What one speaker said. ``own``: the user's."""

    speaker: str
    text: str
    own: bool
    at: datetime | None = None
    marks: tuple[Mark, ...] = ()
    turn: TurnId | None = None
    through: str = ""
    """Backend and model, shown where a stand-in spoke."""
    answers: tuple[int, int] = (1, 1)
    """The place of this answer among all to the turn, and how many there are."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Something that the program has to say: a failure, or a damaged file."""

    title: str
    lines: tuple[str, ...] = ()
    level: Literal["info", "warning", "error"] = "error"


@dataclass(frozen=True, slots=True)
class Live:
    """Where a reply is streaming; its rows are in a `live_reply.LiveReply`."""

    speaker: str
    marks: tuple[Mark, ...] = ()


Block = Divider | Speech | Panel | Live


def day_label(day: date) -> str:
    """A day as dividers name it: ``Tue 12 March 2026``."""
    return f"{day:%a} {day.day} {day:%B %Y}"


def message_block(message: Message, turn: TurnId, *, unanswered: bool = False) -> Speech:
    """The user's message."""
    marks: tuple[Mark, ...] = ("unanswered",) if unanswered else ()
    return Speech(message.speaker, message.text, True, message.at, marks, turn)


def reply_block(
    reply: Reply, turn: TurnId | None, rehearsals: frozenset[str] = frozenset()
) -> Speech:
    """A reply; ``rehearsals`` names the backends that only rehearse."""
    marks: list[Mark] = []
    if reply.interrupted:
        marks.append("interrupted")
    if reply.stand_in:
        marks.append("stand-in")
    if reply.backend in rehearsals:
        marks.append("rehearsal")
    through = " ".join(part for part in (reply.backend, reply.model) if part)
    return Speech(reply.speaker, reply.text, False, reply.at, tuple(marks), turn, through)


def turn_blocks(
    turn: Turn, conversation: ConversationId, rehearsals: frozenset[str] = frozenset()
) -> list[Speech]:
    """A turn's message and replies, in order."""
    identity = TurnId(conversation, turn.number)
    blocks = []
    if turn.message is not None:
        blocks.append(message_block(turn.message, identity, unanswered=turn.unanswered))
    blocks.extend(reply_block(reply, identity, rehearsals) for reply in turn.replies)
    return blocks


def chunk_blocks(
    conversation: ConversationId,
    turns: Sequence[Turn],
    *,
    opening: str | None,
    day: date | None,
    path: str = "",
    troubles: Sequence[Trouble] = (),
    rehearsals: frozenset[str] = frozenset(),
    beside: TurnMarks | None = None,
) -> list[Block]:
    """A chunk's blocks.

    ``opening`` is the conversation's title where the chunk begins one, else None. ``day`` is the
    day that was last announced above. What could not be read is shown after the turns, with file
    and line.
    """
    blocks: list[Block] = []
    if opening is not None:
        day = conversation.day
        blocks.append(Divider(day_label(day), opening, opening=True))
    for turn in turns:
        for speech in turn_blocks(turn, conversation, rehearsals):
            if speech.at is not None and day is not None and speech.at.date() > day:
                day = speech.at.date()
                blocks.append(Divider(day_label(day)))
            blocks.append(_beside(speech, turn.number, beside) if beside else speech)
    if troubles:
        lines = tuple(f"{path}:{trouble.line}: {trouble.what}" for trouble in troubles)
        title = "Part of this file could not be read; nothing in it was changed."
        blocks.append(Panel(title, lines, "warning"))
    return blocks


def _beside(speech: Speech, number: int, beside: TurnMarks) -> Speech:
    """A speech with what is shown of its turn: other answers, and that it is set aside."""
    if number in beside.answers and not speech.own:
        speech = replace(with_mark(speech, "answers"), answers=beside.answers[number])
    return with_mark(speech, "aside") if number in beside.aside else speech


def without_mark(speech: Speech, mark: Mark) -> Speech:
    """The same speech, one mark less."""
    return replace(speech, marks=tuple(kept for kept in speech.marks if kept != mark))


def with_mark(speech: Speech, mark: Mark) -> Speech:
    """The same speech, one mark more."""
    return speech if mark in speech.marks else replace(speech, marks=(*speech.marks, mark))
