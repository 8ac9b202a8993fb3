"""What recall is asked, and what it answers. Imports nothing slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from perdure.companion.ids import TurnId


def never(turn: TurnId) -> bool:  # noqa: ARG001 - the signature of RecallQuery.without
    """Leave out no turn."""
    return False


@dataclass(frozen=True, slots=True)
class Hit:
    """One earlier turn that fits a question.

    Attributes:
        turn: its id.
        score: how well it fits; comparable within one answer only.
        path: the chunk that it stands in.
        matched: words of the question that the turn itself says, as the question has them.
    """

    turn: TurnId
    score: float
    path: str
    matched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """What the conversation is about.

    Attributes:
        text: the newest message, or what somebody searches for.
        before: texts of the messages before it, newest last; they help where the newest message
            says little by itself.
        now: the present moment, aware, from which "last summer" counts; without it only dates that
            stand by themselves are understood.
        without: turns that are not wanted: set aside, or in the prompt already.
        since: only turns from this moment on, aware.
        until: only turns before this moment, aware.
        hers: the companion's names, the present one and former ones: who names one means all.
    """

    text: str
    before: tuple[str, ...] = ()
    now: datetime | None = None
    without: Callable[[TurnId], bool] = never
    since: datetime | None = None
    until: datetime | None = None
    hers: tuple[str, ...] = ()


LONGEST = 600
"""Characters of a text that are embedded: by then it is clear what it is about."""


class Embedder(Protocol):
    """Turns texts into vectors; their dot product says how close they are in meaning."""

    @property
    def name(self) -> str:
        """The model and its version. Vectors under different names cannot be compared."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""

    @property
    def share(self) -> float:
        """How much meaning counts against words, from 0 to 1."""

    @property
    def least(self) -> float:
        """The dot product that makes a message like a question of which it has no word."""

    def embed(self, text: str) -> Sequence[float]:
        """The vector of a text that was said, of length 1."""

    def ask(self, text: str) -> Sequence[float]:
        """The vector of a question, of length 1."""
