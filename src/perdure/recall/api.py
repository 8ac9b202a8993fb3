"""What is asked of recall, and what it answers. Imports nothing that costs time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from perdure.companion.ids import TurnId


def never(turn: TurnId) -> bool:  # noqa: ARG001 - the signature of RecallQuery.without
    """No turn is left out."""
    return False


@dataclass(frozen=True, slots=True)
class Hit:
    """One earlier turn.

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
    """What is being talked about.

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
"""Characters of a text that are embedded: what it is about is said by then."""


class Embedder(Protocol):
    """Turns texts into vectors whose dot product says how close they are in meaning."""

    @property
    def name(self) -> str:
        """Names the model and its version: vectors of another name are not comparable."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    @property
    def share(self) -> float:
        """What meaning counts beside words, from 0 to 1."""

    @property
    def least(self) -> float:
        """Dot product below which nothing is like a question of which no word was said."""

    def embed(self, text: str) -> Sequence[float]:
        """The vector of a text that was said, of length 1."""

    def ask(self, text: str) -> Sequence[float]:
        """The vector of a question, of length 1."""
