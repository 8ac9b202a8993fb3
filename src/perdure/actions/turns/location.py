"""Where the next turn goes: on in the same conversation, or into a new one.

One session appends to a conversation (docs/durability.md, leases). Whoever has no lease, or finds
its last chunk changed, damaged or edited in the folder, begins a conversation that ``continues:``
the old one, so that no turn id is ever used twice and no chunk is rewritten blindly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import (
    CHUNK_LIMIT,
    chunk_path,
    render_head,
    render_reply,
    render_turn,
)
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Turn
from perdure.git.repository.repository import Change
from perdure.snapshot.conversation.transcript import (
    ConversationRef,
    Transcript,
    last_turn,
    newest_time,
)

if TYPE_CHECKING:
    from perdure.companion.config.settings import ConversationPolicy
    from perdure.git.leases import Lease
    from perdure.git.repository.repository import Repository

_CLOCK_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Location:
    """The chunk that the next turn is appended to.

    ``oid`` and ``content`` are the chunk as it stands at the tip; None and empty for a new one.
    """

    head: ChunkHead
    path: str
    oid: str | None
    content: bytes
    number: int
    begins: bool
    """True where this opens a conversation."""

    @property
    def conversation(self) -> ConversationId:
        return self.head.conversation

    @property
    def turn_id(self) -> TurnId:
        return TurnId(self.conversation, self.number)


def ended(last: Turn | None, now: datetime, policy: ConversationPolicy) -> bool:
    """True where the pause since the last turn closes a conversation."""
    at = newest_time(last) if last is not None else None
    return at is not None and now - at > timedelta(hours=policy.idle_hours)


def next_in(
    repo: Repository,
    transcript: Transcript,
    conversation: ConversationRef,
    held: Lease,
    branch: str,
) -> Location | None:
    """The location after the last turn; None where this session may not append there."""
    index = conversation.places[-1]
    ref = transcript.chunks[index]
    chunks = transcript.parsed(index)
    if len(chunks) != 1 or chunks[0].troubles or not held.matches(branch, ref.path, ref.oid):
        return None
    if repo.edits.is_edited(branch, ref.path):
        return None
    last = last_turn(transcript, conversation)
    number = last.number + 1 if last is not None else 1
    return Location(chunks[0].head, ref.path, ref.oid, repo.blob(ref.oid), number, begins=False)


def new_conversation(
    at: datetime,
    *,
    title: str,
    participants: tuple[str, ...],
    continues: TurnId | None = None,
    joins: tuple[TurnId, ...] = (),
    hex_digits: str | None = None,
) -> Location:
    """A place in a conversation of its own, which goes on from one turn, or from several lines."""
    identity = ConversationId.begin(at, hex_digits)
    head = ChunkHead(
        conversation=identity,
        chunk=1,
        title=title,
        participants=participants,
        continues=continues,
        joins=joins,
        started=at,
    )
    path = chunk_path(identity, 1, at.date())
    return Location(head, path, None, b"", 1, begins=True)


def start_after_newest(transcript: Transcript, at: datetime) -> datetime:
    """When a conversation may begin at ``at``: its start is all that orders it.

    One that began in this very second, or a little later by a clock that was put right since, must
    not come to stand behind it. Only seconds are bridged: a clock may be years off.
    """
    newest = transcript.last_conversation()
    head = transcript.head(newest.first_chunk) if newest is not None else None
    started = head.started if head is not None else None
    if started is not None and timedelta() <= started - at < _CLOCK_STEP:
        return started + timedelta(seconds=1)
    return at


def write_turn(
    location: Location, turn: Turn, greeting: Turn | None, at: datetime
) -> tuple[Change, str | None]:
    """Append a turn, rolling over to the next chunk where the limit would be passed.

    Returns:
        The file as it will be, and the blob that it must still have; None: it must not be there.
    """
    new = (render_turn(greeting) if greeting is not None else b"") + render_turn(turn)
    if location.oid is None:
        return Change(location.path, render_head(location.head) + new), None
    if len(location.content) + len(new) <= CHUNK_LIMIT:
        return Change(location.path, location.content + new), location.oid
    head = replace(location.head, chunk=location.head.chunk + 1)
    path = chunk_path(location.conversation, head.chunk, at.date())
    return Change(path, render_head(head) + new), None


def write_answer(location: Location, turn: Turn) -> tuple[Change, str | None]:
    """Append the replies of ``turn`` to the message that stands last in the chunk."""
    replies = b"".join(render_reply(turn.number, reply) for reply in turn.replies)
    return Change(location.path, location.content + replies), location.oid
