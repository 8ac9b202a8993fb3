"""Committing a turn: one file, one commit, the lease renewed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from perdure.actions.lease import ConversationLease
from perdure.actions.turns.location import Location, write_answer, write_turn
from perdure.actions.turns.pending import PendingTurn, TurnKind, in_own_conversation
from perdure.actions.turns.rewrite import ChunkEdit, StoredTurn, rewrite
from perdure.companion.conversation.edit import add_answer, next_answer
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import TurnId
from perdure.companion.turns import Reply, Turn
from perdure.git.errors import TipMoved
from perdure.git.repository.repository import Author, Repository
from perdure.git.repository.turn_journal import Journal, Leftover
from perdure.snapshot.conversation.trailers import TurnFacts, turn_message
from perdure.snapshot.errors import UnknownTurn


@dataclass(frozen=True, slots=True)
class CommittedTurn:
    """A turn as it was committed, and the chunk that it was written to."""

    turn_id: TurnId
    turn: Turn
    commit: str
    path: str


class TurnCommitter:
    """Commits turns with one repository, and renews the lease of the conversation it writes."""

    def __init__(self, repo: Repository, lease: ConversationLease) -> None:
        self._repo = repo
        self.lease = lease

    def commit(
        self,
        pending: PendingTurn,
        reply: Reply | None,
        facts: TurnFacts,
        *,
        author: Author,
        at: datetime,
        journal: Journal | Leftover | None,
    ) -> CommittedTurn:
        """Commit. If the chunk changed meanwhile, the turn opens a conversation that continues.

        Args:
            pending: the turn.
            reply: what was replied; None leaves its message unanswered.
            facts: the trailers, of the turn as it was prepared.
            author: whose commit it is.
            at: when.
            journal: what the commit brings home; None: it is removed by the caller.

        Raises:
            HistoryError: nothing was changed.
        """
        write = partial(
            self._repo.commit,
            author=author,
            branch=pending.branch,
            at=at,
            journal=journal,
            start=pending.start,
        )
        try:
            if pending.kind is TurnKind.ANOTHER:
                return self._add_answer(pending, reply, facts, write)
            return self._append(pending, reply, facts, at, write)
        except (TipMoved, UnknownTurn, CompanionProblem):
            # Where no answer is added it can only be the first of them.
            other = _elsewhere(pending, at)
            facts = _with_window(facts, pending.location, other.location)
            return self._append(other, reply, facts, at, write)

    def _append(
        self,
        pending: PendingTurn,
        reply: Reply | None,
        facts: TurnFacts,
        at: datetime,
        write: Callable[..., str],
    ) -> CommittedTurn:
        location, turn = pending.location, pending.answered(reply)
        if pending.is_in_chunk:
            change, expect = write_answer(location, turn)
        else:
            change, expect = write_turn(location, turn, pending.opening, at)
        if expect is not None and self._repo.edits.is_edited(pending.branch, change.path):
            # Edited while the reply was written.
            raise TipMoved(change.path)
        lease = self.lease.acquire(str(location.conversation))
        named = replace(facts, turn=location.turn_id)
        commit = write(
            [change],
            message=lambda parent: _message(turn, named, parent),
            expect={change.path: expect},
        )
        if lease is not None:
            oid = self._repo.oid(change.path, commit)
            if oid is not None:
                lease.renew(pending.branch, change.path, oid)
        return CommittedTurn(location.turn_id, turn, commit, change.path)

    def _add_answer(
        self,
        pending: PendingTurn,
        reply: Reply | None,
        facts: TurnFacts,
        write: Callable[..., str],
    ) -> CommittedTurn:
        """The new answer stands, and the one before joins the alternatives: one commit."""
        location, turn = pending.location, pending.answered(reply)

        def add(stored: StoredTurn) -> ChunkEdit:
            nonlocal turn
            number = next_answer(stored.files, location.number)
            replies = tuple(replace(each, answer=number) for each in turn.replies)
            turn = replace(turn, replies=replies)
            files = add_answer(stored.files, location.number, replies, shown=stored.is_last)
            named = replace(facts, answer=number)
            return ChunkEdit(files, lambda parent: _message(turn, named, parent))

        commit = rewrite(
            self._repo,
            self.lease,
            location.turn_id,
            add,
            write,
            branch=pending.branch,
            start=pending.start,
        )
        return CommittedTurn(location.turn_id, turn, commit, location.path)


def _elsewhere(pending: PendingTurn, at: datetime) -> PendingTurn:
    """The same words in a conversation of their own that names where it goes on from."""
    location = pending.location
    is_reply = pending.kind is TurnKind.REPLY
    before = TurnId(location.conversation, location.number - (0 if is_reply else 1))
    ends = location.head.ends if location.begins else (before,)
    kind = TurnKind.REPLY if is_reply else TurnKind.NEW
    return replace(in_own_conversation(pending, at, ends), kind=kind)


def _with_window(facts: TurnFacts, before: Location, after: Location) -> TurnFacts:
    """The trailers, where the window began with a turn that gets another id."""
    if facts.window is None or not _is_new(before, facts.window):
        return facts
    number = facts.window.number - before.number + after.number
    return replace(facts, window=TurnId(after.conversation, number))


def _is_new(location: Location, turn: TurnId) -> bool:
    """Whether a turn comes with what is committed: the turn itself, or the greeting before it."""
    is_greeting = location.begins and turn.conversation == location.conversation
    return turn == location.turn_id or is_greeting


def _message(turn: Turn, facts: TurnFacts, parent: str | None) -> str:
    """The commit's message; the base is named where it is not the parent."""
    return turn_message(turn, replace(facts, base="" if facts.base == parent else facts.base))
