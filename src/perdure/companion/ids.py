"""Permanent ids of conversations, turns and answers.

A conversation id is ``2026-11-22-1803-9f3a77c0``: its start in the user's local time and eight hex
digits. A turn id is ``<conversation>/<n>``; an answer to it is ``<conversation>/<n>~<k>``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import date, datetime

_CONVERSATION = re.compile(r"(\d{4})-(\d{2})-(\d{2})-(\d{2})(\d{2})-([0-9a-f]{8})")
_TURN = re.compile(r"(\d{4}-\d{2}-\d{2}-\d{4}-[0-9a-f]{8})/(0|[1-9]\d{0,8})(?:~([1-9]\d{0,5}))?")


@dataclass(frozen=True, slots=True, order=True)
class ConversationId:
    """A conversation's id. ``text`` is the whole id; ids sort by start time."""

    text: str

    def __post_init__(self) -> None:
        if not _CONVERSATION.fullmatch(self.text):
            raise ValueError(f"not a conversation id: {self.text!r}")

    def __str__(self) -> str:
        return self.text

    @property
    def hex(self) -> str:
        """The eight hex digits that distinguish conversations of the same minute."""
        return self.text[-8:]

    @property
    def minute(self) -> str:
        """The start in the user's local time: ``2026-11-22-1803``."""
        return self.text[:-9]

    @property
    def day(self) -> date:
        """The local day on which the conversation started."""
        return date.fromisoformat(self.text[:10])

    @classmethod
    def begin(cls, at: datetime, hex_digits: str | None = None) -> ConversationId:
        """A new id for a conversation that starts at ``at`` (aware, local)."""
        return cls(f"{at:%Y-%m-%d-%H%M}-{hex_digits or os.urandom(4).hex()}")


@dataclass(frozen=True, slots=True, order=True)
class TurnId:
    """A turn's id; turn 0 is the opening greeting."""

    conversation: ConversationId
    number: int

    def __str__(self) -> str:
        return f"{self.conversation}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> TurnId:
        """Read ``<conversation>/<n>``; an answer's ``~k`` is ignored. Raises ValueError."""
        found = cls.read(text)
        if found is None:
            raise ValueError(f"not a turn id: {text!r}")
        return found

    @classmethod
    def read(cls, text: str) -> TurnId | None:
        """Read it as `parse` does; None for what is no turn's id."""
        found = _TURN.fullmatch(text)
        return cls(ConversationId(found[1]), int(found[2])) if found else None
