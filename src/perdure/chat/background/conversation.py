"""Reading a conversation to summarise it, with what is known of it already.

All functions block; a `Session` calls them on its worker thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from perdure.actions.history.next_message import continues_from, starts_conversation
from perdure.actions.history.visit import current_visit
from perdure.actions.memory.exclude import as_ranges
from perdure.chat.turn.position import Position
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.aside import TurnRange
from perdure.companion.memory.facts import FACTS_FOLDER as FACTS
from perdure.companion.memory.facts import Fact, read_facts
from perdure.companion.memory.proposals import Review, read_review, review_path
from perdure.companion.memory.summaries import Summary, parse_summary, summary_path
from perdure.companion.turns import Turn
from perdure.prompt import PastTurn
from perdure.snapshot.conversation.transcript import ConversationRef
from perdure.snapshot.excluded import read_excluded
from perdure.snapshot.files import entries_below, read_small


@dataclass(frozen=True, slots=True)
class ConversationReading:
    """One conversation, as of one commit on one branch.

    Attributes:
        turns: those up to ``through`` that are not set aside, oldest first.
        through: the last turn that is to be covered, set aside or not.
        whole: that is its last turn.
        standing: the summary that is there; None: none, or one that cannot be read.
        unreadable: there is one that cannot be read; it is left alone.
        review: what was proposed after it and still waits.
        own: this device wrote it.
        tip: the commit.
        blobs: every file that a commit on top may rest on or write, with its blob; None: absent.
    """

    conversation: ConversationId
    title: str
    turns: tuple[Turn, ...]
    through: int
    whole: bool
    tip: str
    branch: str
    standing: Summary | None = None
    unreadable: bool = False
    review: Review | None = None
    facts: tuple[Fact, ...] = ()
    paths: Mapping[int, str] = field(default_factory=dict)
    """The chunk of each turn."""
    blobs: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Contents of the files below ``memory/`` that were read."""
    own: bool = False

    @property
    def backends(self) -> frozenset[str]:
        """Who has answered in it."""
        return frozenset(reply.backend for turn in self.turns for reply in turn.replies)

    @property
    def sources(self) -> tuple[TurnRange, ...]:
        """Its turns as ranges."""
        return as_ranges([TurnId(self.conversation, turn.number) for turn in self.turns])

    @property
    def is_stale(self) -> bool:
        """Whether the summary rests on other turns than those up to its last one.

        Some were set aside since, or brought back; or they are not on this branch.
        """
        standing = self.standing
        if standing is None or (standing.through > self.through and not self.whole):
            return False
        if not standing.sources:
            return standing.through > self.through
        here = {turn.number for turn in self.turns}
        ranges = standing.sources
        if any(
            one.conversation != self.conversation or one.last > max(self.paths) for one in ranges
        ):
            return True
        return any(
            (number in here) != any(one.first <= number <= one.last for one in ranges)
            for number in self.paths
            if number <= standing.through
        )


def refusal(position: Position, *, asked: bool = False) -> str:
    """Why nothing may be written now; empty where it may.

    By itself, nothing is written on a visit: the scratch branch may go. Nor after a rewind, an undo
    or a revert, until something was said: a commit would take away what redo brings back.

    Args:
        position: where the session stands.
        asked: the user has just asked for it.
    """
    repo = position.repo
    if position.companion.settings.archived:
        return f"{position.companion.name} is archived, so nothing is written"
    if position.start is not None or repo.head().branch != position.branch:
        return f"{position.branch} is not checked out"
    if operation := repo.state_of_work().open_operation:
        return f"a {operation} is not finished here"
    if asked:
        return ""
    if current_visit(repo) is not None:
        return "you are talking with her as she was"
    waits = (
        starts_conversation(repo, position.tip)
        or continues_from(repo, position.branch, position.tip) is not None
    )
    return "nothing has been said since you went back" if waits else ""


def left_of(thread: Sequence[PastTurn], window: TurnId | None) -> dict[ConversationId, int]:
    """The last turn of each conversation of a thread that stands before its window."""
    found: dict[ConversationId, int] = {}
    for past in thread:
        if window is None or past.id == window:
            return found
        found[past.id.conversation] = past.id.number
    return {}


def newest(position: Position, count: int) -> list[ConversationId]:
    """The newest conversations, the newest first, without the one that goes on."""
    position.transcript.refresh(position.tip)
    found = position.transcript.conversations()[-count - 1 :]
    return [each.id for each in reversed(found) if each.id != position.conversation][:count]


def read_conversation(
    position: Position,
    conversation: ConversationId,
    through: int | None = None,
    *,
    facts: bool = False,
) -> ConversationReading | None:
    """Read a conversation, up to ``through`` or to its end. None where there is nothing in it."""
    tip = position.tip
    position.transcript.refresh(tip)
    ref = position.transcript.find(conversation)
    turns, paths, blobs = _turns(position, ref) if ref is not None else ([], {}, {})
    if ref is None or not turns:
        return None
    last = turns[-1].number
    wanted = last if through is None else min(through, last)
    covered = [turn for turn in turns if turn.number <= wanted]
    excluded = read_excluded(position.repo, tip)
    reading = _Files(position, tip)
    path = summary_path(conversation)
    data = reading.take(path)
    standing = parse_summary(data, path)[0] if data is not None else None
    return ConversationReading(
        conversation,
        position.transcript.title(ref),
        tuple(turn for turn in covered if TurnId(conversation, turn.number) not in excluded),
        wanted,
        wanted == last,
        tip,
        position.branch,
        standing,
        data is not None and standing is None,
        _review(reading, conversation),
        _facts(reading, position, tip) if facts else (),
        paths,
        {**blobs, **reading.blobs},
        reading.files,
        own=_is_own(position, ref),
    )


class _Files:
    """Reads files of one commit, and keeps what they were."""

    def __init__(self, position: Position, tip: str) -> None:
        self._repo = position.repo
        self._tip = tip
        self.blobs: dict[str, str | None] = {}
        self.files: dict[str, bytes] = {}

    def take(self, path: str) -> bytes | None:
        oid = self._repo.oid(path, self._tip)
        self.blobs[path] = oid
        if oid is None:
            return None
        self.files[path] = read_small(self._repo, oid)
        return self.files[path]


def _review(files: _Files, conversation: ConversationId) -> Review | None:
    """What was proposed and still waits; None where that is nothing, or cannot be read."""
    path = review_path(conversation)
    data = files.take(path)
    if data is not None:
        with suppress(CompanionProblem):
            return read_review(data, path)
    return None


def _facts(files: _Files, position: Position, tip: str) -> tuple[Fact, ...]:
    """Every fact that can be read."""
    found = {
        entry.path: content
        for entry in entries_below(position.repo, FACTS, tip)
        if (content := files.take(entry.path)) is not None
    }
    return read_facts(found)[0]


def _turns(
    position: Position, ref: ConversationRef
) -> tuple[list[Turn], dict[int, str], dict[str, str | None]]:
    turns: list[Turn] = []
    paths: dict[int, str] = {}
    blobs: dict[str, str | None] = {}
    for place in ref.places:
        chunk = position.transcript.chunks[place]
        blobs[chunk.path] = chunk.oid
        for turn in position.transcript.turns(place):
            turns.append(turn)
            paths[turn.number] = chunk.path
    turns.sort(key=lambda turn: turn.number)
    return turns, paths, blobs


def _is_own(position: Position, ref: ConversationRef) -> bool:
    """Whether this very folder wrote its end."""
    chunk = position.transcript.chunks[ref.places[-1]]
    if position.conversation == ref.id:
        return True
    held = position.repo.acquire(str(ref.id))
    if held is None:
        return position.lease.acquire(str(ref.id)) is not None
    with held:
        return held.matches(position.branch, chunk.path, chunk.oid)
