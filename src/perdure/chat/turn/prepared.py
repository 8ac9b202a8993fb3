"""What a turn is before its reply: its message on disk, its place known."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.actions.turns.place import Location
from perdure.chat.events import Event
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.repository.turn_journal import Journal
from perdure.notice import Notice
from perdure.prompt import PastTurn


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn whose message is journaled and whose place is known.

    Attributes:
        answers: the message stands in the history already, and wants its reply.
        again: it has one, and the reply to come is another answer.
        begun: id of the operation that led to a branch of its own, "" without one.
    """

    place: Location
    turn: Turn
    greeting: Turn | None
    thread: tuple[PastTurn, ...]
    journal: Journal
    notices: tuple[Notice, ...]
    branch: str
    answers: bool = False
    again: bool = False
    begun: str = ""

    @property
    def begins(self) -> bool:
        return self.place.begins

    @property
    def greeting_id(self) -> TurnId:
        return TurnId(self.place.conversation, 0)


@dataclass(frozen=True, slots=True)
class Done:
    """A turn that asks no backend: a greeting takes the place of another."""

    events: tuple[Event, ...]
