"""What happens during one turn, as a stream of plain values that both faces show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Message, Reply, Turn
from perdure.notice import Notice


@dataclass(frozen=True, slots=True)
class MessageKept:
    """The user's message is journaled on disk; nothing typed can be lost from here on."""

    turn: TurnId
    message: Message


@dataclass(frozen=True, slots=True)
class Greeted:
    """A new conversation opened with this greeting (turn 0, committed with turn 1)."""

    turn: TurnId
    reply: Reply


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """A backend was asked; pieces follow."""

    turn: TurnId
    speaker: str
    backend: str
    model: str
    prompt_tokens: int
    window: int
    left_out: int
    """Turns of this conversation that did not fit into the window."""
    stand_in: bool = False
    """It speaks in the place of one that was asked before."""
    rehearsal: bool = False
    """It is the small embedded model."""


@dataclass(frozen=True, slots=True)
class ReplyPiece:
    """The next piece of the reply, raw; faces sanitise it."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingPiece:
    """Reasoning text, kept apart from the reply and not recorded in it."""

    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The commit point is passed: fsynced and reachable from the branch."""

    turn_id: TurnId
    turn: Turn
    commit: str
    branch: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No reply came. The message itself was saved, as unanswered, before this event."""

    what: str
    kept: str
    next_step: str


Event = Notice | MessageKept | Greeted | ReplyStarted | ReplyPiece | ThinkingPiece | Saved | Failed
Emit = Callable[[Event], None]
"""Takes the events of a turn, one after another."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a status line shows; a fresh value at each read.

    ``backend`` and ``model`` spoke last, ``next_backend`` and ``next_model`` are asked next:
    ``once`` for the next reply only; ``rehearsal`` where that is the small embedded model.
    ``window`` and ``used`` count tokens; 0 until a prompt was made.
    """

    companion: str
    user: str
    branch: str
    backend: str
    model: str
    rehearsal: bool
    conversation: ConversationId | None
    window: int
    used: int
    saved_at: datetime | None
    path: Path
    next_backend: str
    next_model: str
    once: bool
    unavailable: bool
    """The one that is asked next did not answer when it was asked last."""
