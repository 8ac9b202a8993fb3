"""A turn that is in no commit yet, as it is prepared, kept in the journal, and committed.

The journal's header is the same turn as JSON values. Its keys are read by later versions of the
program, and those of earlier ones are read here (docs/durability.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

import msgspec

from perdure.actions.turns.location import Location, new_conversation
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.git.state.fields import is_branch, is_oid

_LARGEST_NUMBER = 10**9


class TurnKind(Enum):
    """What a turn adds to the history."""

    NEW = "new"
    """A message, and its reply."""
    REPLY = "reply"
    """The reply to a message that stands there and has none."""
    ANOTHER = "another"
    """Another answer to a turn that has one."""


class _Said(msgspec.Struct):
    speaker: str
    text: str
    at: str


class _Header(msgspec.Struct, kw_only=True):
    branch: str
    base: str = ""
    conversation: str
    number: int
    title: str
    participants: list[str]
    continues: str
    joins: list[str] = []
    begins: bool
    answers: bool
    again: bool = False
    speaker: str
    message: _Said | None
    greeting: _Said | None


@dataclass(frozen=True, slots=True)
class PendingTurn:
    """A turn that is in no commit yet.

    Attributes:
        kind: what it adds.
        location: where it goes. Of one that a journal holds, only the conversation's front matter
            and the number are known.
        message: what the user said; None where only replies are to be written.
        speaker: who replies.
        branch: the branch that it goes on.
        greeting: what a new conversation opens with, as its turn 0.
        base: the commit that its prompt is made from; "" where it is not known.
        start: the commit at which the branch begins, where it is not there yet.
    """

    kind: TurnKind
    location: Location
    message: Message | None
    speaker: str
    branch: str
    greeting: Reply | None = None
    base: str = ""
    start: str | None = None

    @property
    def turn_id(self) -> TurnId:
        return self.location.turn_id

    @property
    def is_in_chunk(self) -> bool:
        """Whether its message stands in the chunk that the replies go to."""
        return self.kind is not TurnKind.NEW and self.location.oid is not None

    @property
    def opening(self) -> Turn | None:
        """The greeting as a turn."""
        return Turn(0, None, (self.greeting,)) if self.greeting is not None else None

    def answered(self, reply: Reply | None) -> Turn:
        """The turn as it is written: a message that stands elsewhere is not written again."""
        replies = (reply,) if reply is not None else ()
        is_elsewhere = self.kind is TurnKind.REPLY and not self.is_in_chunk
        return Turn(self.location.number, None if is_elsewhere else self.message, replies)

    def to_header(self) -> dict[str, object]:
        """What a journal must hold so that the turn can be committed without this process."""
        head = self.location.head
        header = _Header(
            branch=self.branch,
            base=self.base,
            conversation=str(head.conversation),
            number=self.location.number,
            title=head.title,
            participants=list(head.participants),
            continues=str(head.continues or ""),
            joins=[str(end) for end in head.joins],
            begins=self.location.begins,
            answers=self.kind is not TurnKind.NEW,
            again=self.kind is TurnKind.ANOTHER,
            speaker=self.speaker,
            message=_said(self.message),
            greeting=_said(self.greeting),
        )
        found: dict[str, object] = msgspec.to_builtins(header)
        return found


def read_header(header: Mapping[str, object]) -> PendingTurn | None:
    """The turn that a journal holds; None where its header makes no sense."""
    try:
        found = msgspec.convert(header, type=_Header)
        for text in (found.title, found.speaker, *found.participants):
            text.encode()
        head = ChunkHead(
            conversation=ConversationId(found.conversation),
            chunk=1,
            title=found.title,
            participants=tuple(found.participants),
            continues=TurnId.parse(found.continues) if found.continues else None,
            joins=tuple(map(TurnId.parse, found.joins)),
        )
        message, greeting = found.message, found.greeting
        said = Message(message.speaker, message.text, _time(message.at)) if message else None
        opening = Reply(greeting.speaker, greeting.text, _time(greeting.at)) if greeting else None
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None
    if not (is_branch(found.branch) and 0 <= found.number < _LARGEST_NUMBER):
        return None
    return PendingTurn(
        kind=_kind(found),
        location=Location(head, "", None, b"", found.number, begins=found.begins),
        message=said,
        speaker=found.speaker,
        branch=found.branch,
        greeting=opening,
        base=found.base if is_oid(found.base) else "",
    )


def end_record(reply: Reply) -> dict[str, object]:
    """What a journal must hold of a reply that ended, beside the text that was streamed."""
    return {
        "at": reply.at.isoformat() if reply.at is not None else "",
        "backend": reply.backend,
        "model": reply.model,
        "interrupted": reply.interrupted,
        "stand_in": reply.stand_in,
    }


def moved(pending: PendingTurn, location: Location) -> PendingTurn:
    """The turn at another location; a greeting opens a conversation that goes on from nothing."""
    opens = location.begins and location.head.continues is None
    return replace(pending, location=location, greeting=pending.greeting if opens else None)


def in_own_conversation(pending: PendingTurn, at: datetime, ends: Sequence[TurnId]) -> PendingTurn:
    """The turn in a conversation of its own that goes on from these; title and names stay."""
    head = pending.location.head
    own = new_conversation(
        at,
        title=head.title,
        participants=head.participants,
        continues=ends[0] if ends else None,
        joins=tuple(ends[1:]),
    )
    return moved(pending, own)


def _kind(header: _Header) -> TurnKind:
    if header.again:
        return TurnKind.ANOTHER
    return TurnKind.REPLY if header.answers else TurnKind.NEW


def _said(said: Message | Reply | None) -> _Said | None:
    if said is None:
        return None
    return _Said(said.speaker, said.text, said.at.isoformat() if said.at is not None else "")


def _time(text: str) -> datetime | None:
    """Raises ValueError for a time without its offset."""
    at = datetime.fromisoformat(text) if text else None
    if at is not None and at.tzinfo is None:
        raise ValueError(text)
    return at
