"""Messages, replies and turns as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from perdure.companion.errors import Trouble
from perdure.companion.ids import ConversationId, TurnId


@dataclass(frozen=True, slots=True)
class Message:
    """What the user said. ``at`` is aware, or None if the source did not keep it."""

    speaker: str
    text: str
    at: datetime | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    """Header fields that this version gives no meaning; kept as they were read."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the companion, or another speaker with her, said.

    ``answer`` is the permanent number of the answer that this reply belongs to: replies of several
    speakers to one message share it, a regenerated answer has the next one.
    """

    speaker: str
    text: str
    at: datetime | None = None
    answer: int = 1
    backend: str = ""
    model: str = ""
    interrupted: bool = False
    stand_in: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """A user message, replies, or both; never neither.

    A message without replies is unanswered. Turn 0 is a greeting: replies only.
    """

    number: int
    message: Message | None = None
    replies: tuple[Reply, ...] = ()

    def __post_init__(self) -> None:
        if self.message is None and not self.replies:
            raise ValueError(f"turn {self.number} holds neither a message nor a reply")

    @property
    def unanswered(self) -> bool:
        """True if the user spoke and nobody has answered yet."""
        return not self.replies

    @property
    def unasked(self) -> bool:
        """True for replies whose message is in another conversation, or gone."""
        return self.message is None and self.number > 0


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """The front matter of a chunk."""

    conversation: ConversationId
    chunk: int
    title: str = ""
    participants: tuple[str, ...] = ()
    continues: TurnId | None = None
    joins: tuple[TurnId, ...] = ()
    """Ends of further lines that the conversation goes on from, beside ``continues``."""
    started: datetime | None = None
    """Start of the conversation, aware: carries the UTC offset that the id leaves out."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Front matter keys that this version gives no meaning; kept as they were read."""

    @property
    def ends(self) -> tuple[TurnId, ...]:
        """The turns that the conversation continues from; empty if it starts afresh."""
        return (*((self.continues,) if self.continues is not None else ()), *self.joins)

    @property
    def aside(self) -> ChunkHead:
        """The head of the alternatives file, which continues nothing."""
        return replace(self, continues=None, joins=())


@dataclass(frozen=True, slots=True)
class Chunk:
    """One parsed chunk: its head, the turns that could be read, and what was wrong."""

    head: ChunkHead
    turns: tuple[Turn, ...]
    troubles: tuple[Trouble, ...] = ()
