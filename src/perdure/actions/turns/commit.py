"""Committing a turn: one file, one commit, the lease renewed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from perdure.actions.lease import ConversationLease
from perdure.actions.turns.place import Location, Written, begin, write_answer, write_turn
from perdure.actions.turns.rewrite import Rewriting, StoredTurn, rewrite
from perdure.companion.conversation.edit import add_answer, next_answer
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.errors import TipMoved
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal, Leftover
from perdure.snapshot.conversation.trailers import TurnFacts, turn_message
from perdure.snapshot.errors import UnknownTurn


@dataclass(frozen=True, slots=True)
class CommittedTurn:
    """Where a turn came to stand."""

    turn: TurnId
    commit: str
    path: str
    said: Turn | None = None
    """The turn as it stands there; None where it is as it was handed in."""
    continues: TurnId | None = None
    """Set where another hand was faster and the turn opened a conversation that goes on."""


@dataclass(frozen=True, slots=True)
class Landing:
    """A turn ready to be committed at its place."""

    place: Location
    turn: Turn
    greeting: Turn | None
    facts: TurnFacts
    branch: str
    author: Author
    at: datetime
    start: str | None = None
    """The commit at which the branch begins, where it is not there yet."""
    answers: bool = False
    """True where the message stands in the chunk already and only replies are added."""
    again: bool = False
    """True where the turn has an answer already and gets another one."""


class TurnCommitter:
    """Commits turns with one repository; keeps the lease of the conversation it writes."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.lease = ConversationLease(repo)

    def land(self, landing: Landing, journal: Journal | Leftover | None) -> CommittedTurn:
        """Commit. If the chunk changed meanwhile, the turn opens a conversation that continues."""
        try:
            if landing.again:
                return self._answer_again(landing, journal)
            return self._commit(landing, journal, continues=None)
        except (TipMoved, UnknownTurn, CompanionProblem):
            # A landing that is no second answer meets only the first of them.
            moved = self._elsewhere(landing)
            return self._commit(moved, journal, continues=moved.place.head.continues)

    def _commit(
        self, landing: Landing, journal: Journal | Leftover | None, *, continues: TurnId | None
    ) -> CommittedTurn:
        place = landing.place
        written = self._written(landing)
        if written.expect is not None and self._repo.edits.is_edited(landing.branch, written.path):
            # Edited while the reply was written.
            raise TipMoved(written.path)
        hand = self.lease.take(str(place.conversation))

        def message(parent: str | None) -> str:
            facts = replace(landing.facts, turn=place.turn_id)
            return _message(landing.turn, facts, parent)

        commit = self._repo.commit(
            [Change(written.path, written.content)],
            message=message,
            author=landing.author,
            branch=landing.branch,
            at=landing.at,
            expect={written.path: written.expect},
            journal=journal,
            start=landing.start,
        )
        if hand is not None:
            oid = self._repo.oid(written.path, commit)
            if oid is not None:
                hand.record(landing.branch, written.path, oid)
        said = landing.turn if continues is not None else None
        return CommittedTurn(place.turn_id, commit, written.path, said, continues)

    def _answer_again(self, landing: Landing, journal: Journal | Leftover | None) -> CommittedTurn:
        """The new answer stands, and the one before joins the alternatives: one commit."""
        place, said = landing.place, [landing.turn]

        def another(spot: StoredTurn) -> Rewriting:
            number = next_answer(spot.files, place.number)
            replies = tuple(replace(reply, answer=number) for reply in landing.turn.replies)
            said[0] = replace(landing.turn, replies=replies)
            files = add_answer(spot.files, place.number, replies, shown=spot.is_last)
            facts = replace(landing.facts, answer=number)
            return Rewriting(files, lambda parent: _message(said[0], facts, parent))

        commit = rewrite(
            self._repo,
            self.lease,
            place.turn_id,
            another,
            branch=landing.branch,
            author=landing.author,
            at=landing.at,
            journal=journal,
            start=landing.start,
        )
        return CommittedTurn(place.turn_id, commit, place.path, said[0])

    @staticmethod
    def _written(landing: Landing) -> Written:
        if landing.answers:
            return write_answer(landing.place, landing.turn)
        return write_turn(landing.place, landing.turn, landing.greeting, landing.at)

    @staticmethod
    def _elsewhere(landing: Landing) -> Landing:
        """The same words in a conversation of their own that names where it goes on from."""
        place = landing.place
        is_answer = landing.answers and not landing.again
        before = TurnId(place.conversation, place.number - (0 if is_answer else 1))
        own = begin(
            landing.at,
            title=place.head.title,
            participants=place.head.participants,
            continues=place.head.continues if place.begins else before,
            joins=place.head.joins if place.begins else (),
        )
        turn = replace(landing.turn, number=own.number)
        if landing.answers and not landing.again:
            turn = replace(turn, message=None)
        facts = landing.facts
        if facts.window is not None and _is_new(place, facts.window):
            # The window began with a turn that now stands under another id.
            window = TurnId(own.conversation, facts.window.number - place.number + own.number)
            facts = replace(facts, window=window)
        return replace(landing, place=own, turn=turn, facts=facts, answers=False, again=False)


def _is_new(place: Location, turn: TurnId) -> bool:
    """Whether a turn came with what is landed: the turn itself, or the greeting before it."""
    return turn == place.turn_id or (place.begins and turn.conversation == place.conversation)


def _message(turn: Turn, facts: TurnFacts, parent: str | None) -> str:
    """The commit's message; the base is named where it is not the parent."""
    return turn_message(turn, replace(facts, base="" if facts.base == parent else facts.base))
