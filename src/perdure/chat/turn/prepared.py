"""A turn before its reply: its message on the disk, its location known, its thread read."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.actions.turns.pending import PendingTurn
from perdure.git.repository.turn_journal import Journal
from perdure.notice import Notice
from perdure.prompt import PastTurn


@dataclass(frozen=True, slots=True)
class PreparedTurn:
    """A pending turn that is journaled.

    Attributes:
        pending: the turn.
        thread: the conversation that is to be answered, its newest message last.
        journal: holds the turn until it is committed.
        notices: what there is to tell of the preparation.
        began: id of the operation that began a branch for it; "" without one.
    """

    pending: PendingTurn
    thread: tuple[PastTurn, ...]
    journal: Journal
    notices: tuple[Notice, ...]
    began: str = ""
