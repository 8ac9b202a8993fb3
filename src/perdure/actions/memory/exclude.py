"""Exclude turns: they stay in the history and out of prompts until they are brought back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perdure.actions.errors import CannotAct
from perdure.actions.memory.derived import NOTHING_DERIVED, Derived, derived_from
from perdure.actions.workspace import Workspace
from perdure.companion.ids import TurnId
from perdure.companion.memory.aside import (
    Aside,
    TurnRange,
    aside_path,
    bring_back,
    parse_aside,
    render_aside,
)
from perdure.git.repository.repository import Change
from perdure.plural import plural
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import first_words, name_turn
from perdure.snapshot.conversation.turn_text import turns_label
from perdure.snapshot.excluded import Excluded, read_excluded


@dataclass(frozen=True, slots=True)
class ExcludePlan:
    """What excluding turns, or bringing them back, will do.

    Attributes:
        turns: the turns in question, oldest first.
        words: first words of the first of them.
        what: the turns, in words.
        changes: files afterwards.
        back: they are brought back.
        tip: the commit that the plan looked at.
        memory: facts and summaries that were made from turns that go.
    """

    turns: tuple[TurnId, ...]
    words: str
    what: str
    changes: tuple[Change, ...]
    back: bool
    tip: str
    memory: Derived = NOTHING_DERIVED

    def describe(self) -> list[str]:
        """One sentence a line."""
        one = len(self.turns) == 1
        it, stays = ("it", "It stays") if one else ("them", "They stay")
        if self.back:
            return [f"Back in prompts: {self.what}."]
        return [
            f"Kept out of prompts: {self.what}.",
            f"{stays} in the history; perdure aside TURN --back brings {it} back.",
            *(
                f"“{words}”, learned from {it}, stays a fact. "
                f"To set it aside too: perdure memory edit {name} --aside"
                for name, words in self.memory.facts
            ),
            *(f"{path} leaves prompts with them." for path in self.memory.summaries),
        ]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "turns": [str(turn) for turn in self.turns],
            "files": [change.path for change in self.changes],
            "back": self.back,
            **self.memory.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class ExcludedRow:
    """One file in ``memory/aside/``, with the first words of its first turn."""

    path: str
    aside: Aside
    words: str

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "file": self.path,
            "turns": [str(one) for one in self.aside.turns],
            "facts": list(self.aside.facts),
            "reason": self.aside.reason,
            "words": self.words,
        }


def as_ranges(turns: Sequence[TurnId]) -> tuple[TurnRange, ...]:
    """Turns as ranges within conversations."""
    found: list[TurnRange] = []
    for turn in turns:
        last = found[-1] if found else None
        if last and (turn.conversation, turn.number - 1) == (last.conversation, last.last):
            found[-1] = replace(last, last=turn.number)
        else:
            found.append(TurnRange(turn.conversation, turn.number, turn.number))
    return tuple(found)


def find_turns(transcript: Transcript, text: str) -> list[TurnId]:
    """Find the turns of ``TURN`` or ``TURN..TURN``, both ends included, oldest first.

    A bare number behind the dots is of the same conversation as what stands before them. A range
    may go over several conversations, in the order in which they began.

    Raises:
        UnknownTurn: one of the two names nothing.
        CannotAct: the range ends before it starts.
    """
    first_name, dots, last_name = text.partition("..")
    first = name_turn(transcript, first_name)
    last = first
    if dots and last_name.strip().isdigit():
        last = name_turn(transcript, f"{first.conversation}/{last_name.strip()}")
    elif dots:
        last = name_turn(transcript, last_name)
    found = []
    is_in = False
    for index, ref in enumerate(transcript.chunks):
        if not is_in and ref.conversation != first.conversation:
            continue
        for turn in transcript.turns(index):
            here = TurnId(ref.conversation, turn.number)
            is_in = is_in or here == first
            if is_in:
                found.append(here)
            if here == last and is_in:
                return found
    raise CannotAct(f"{text} ends before it starts", next_step="give the earlier turn first")


def plan_exclude(
    workspace: Workspace, text: str, *, back: bool = False, reason: str = ""
) -> ExcludePlan:
    """Plan to exclude turns, or to bring them back.

    Args:
        workspace: the companion.
        text: ``TURN`` or ``TURN..TURN``.
        back: bring them back.
        reason: kept with them.

    Raises:
        UnknownTurn, CannotAct: there is nothing to do.
    """
    tip = workspace.tip
    transcript, excluded = Transcript(workspace.repo, tip), read_excluded(workspace.repo, tip)
    turns = [turn for turn in find_turns(transcript, text) if (turn in excluded) == back]
    if not turns:
        state = "not set aside" if back else "already set aside"
        raise CannotAct(f"{text} is {state}")
    first = transcript.turn(turns[0])
    changes = _back(excluded, turns) if back else _exclude(workspace, tip, turns, reason)
    memory = NOTHING_DERIVED if back else derived_from(workspace.repo, tip, as_ranges(turns))
    words = first_words(first) if first else ""
    what = turns_label(transcript, turns)
    return ExcludePlan(tuple(turns), words, what, tuple(changes), back, tip, memory)


def _exclude(workspace: Workspace, tip: str, turns: Sequence[TurnId], reason: str) -> list[Change]:
    changes = []
    for one in as_ranges(turns):
        path = aside_path(one)
        there = workspace.repo.read(path, tip)
        before = parse_aside(there, path) if there is not None else Aside(reason=reason)
        # A file of that name that somebody has changed keeps what it has.
        aside = replace(before, turns=(*before.turns, one), reason=reason or before.reason)
        changes.append(Change(path, render_aside(aside)))
    return changes


def _back(excluded: Excluded, turns: Sequence[TurnId]) -> list[Change]:
    changes = []
    ranges = as_ranges(turns)
    for path, aside in excluded.files:
        left = bring_back(aside, ranges)
        if left != aside:
            changes.append(Change(path, render_aside(left) if left else None))
    return changes


def exclude_turns(workspace: Workspace, plan: ExcludePlan) -> str:
    """Do what a plan says in one commit by the human; returns its id.

    Raises:
        CannotAct: a file of it has an edit that is in no commit.
        TipMoved: one of its files was committed to since the plan was made.
        HistoryError: nothing was changed.
    """
    what = f"{plural(len(plan.turns), 'turn')}{' back' * plan.back}"
    listed = "\n".join(str(one) for one in as_ranges(plan.turns))
    message = f"aside: {what}, “{plan.words}”\n\n{listed}\n"
    return workspace.commit(plan.changes, message, plan.tip)


def excluded_rows(workspace: Workspace) -> list[ExcludedRow]:
    """Everything that is excluded, by file."""
    tip = workspace.tip
    transcript = Transcript(workspace.repo, tip)
    found = []
    for path, aside in read_excluded(workspace.repo, tip).files:
        one = aside.turns[0] if aside.turns else None
        turn = transcript.turn(TurnId(one.conversation, one.first)) if one else None
        words = first_words(turn) if turn else (aside.facts[0] if aside.facts else "")
        found.append(ExcludedRow(path, aside, words))
    return found
