"""Turns in words for people: what was said, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.objects.commit import CommitInfo
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import first_words


def turn_label(turn: Turn | None) -> str:
    """A turn by its first words and its time: ``“the weir” (12 Mar 2026 18:03)``."""
    if turn is None:
        return "a turn that cannot be read"
    at = (turn.message or turn.replies[0]).at
    words = first_words(turn)
    shown = f"“{words}”" if words else "a turn without words"
    return f"{shown} ({time_label(at)})" if at is not None else shown


def turns_label(transcript: Transcript, turns: Sequence[TurnId]) -> str:
    """Turns, oldest first: how many, and the first and the last by their words."""
    first, last = transcript.turn(turns[0]), transcript.turn(turns[-1])
    if len(turns) == 1:
        return turn_label(first)
    joint = "and" if len(turns) == 2 else "to"
    begins = "" if len(turns) == 2 else "from "
    return f"{len(turns)} turns, {begins}{turn_label(first)} {joint} {turn_label(last)}"


def commit_label(info: CommitInfo) -> str:
    """A commit by its subject and its time."""
    return f"“{info.subject.removeprefix('turn: ')}” ({time_label(info.at)})"


def time_label(at: datetime) -> str:
    """A date and time for people."""
    return f"{at.day} {at:%b %Y %H:%M}"
