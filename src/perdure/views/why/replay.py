"""Rebuilding a past prompt from its turn's commit: the tree, and the trailers.

Nothing is decided again: no tokens are counted, nothing is searched for, no cache is read but the
index that finds the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.errors import UnknownRevision
from perdure.git.repository.repository import Repository
from perdure.prompt import PastTurn, Prompt, PromptInputs, assembly
from perdure.prompt.errors import ChoiceMissing
from perdure.snapshot.companion import CompanionAt, read_companion
from perdure.snapshot.conversation.merged_thread import LAST_NUMBER, merged_thread, whole_history
from perdure.snapshot.conversation.thread import thread
from perdure.snapshot.conversation.trailers import recorded_choice
from perdure.snapshot.conversation.transcript import Transcript, read_turns
from perdure.snapshot.conversation.turn_commits import AnswerCommit
from perdure.snapshot.excluded import Excluded, read_excluded
from perdure.snapshot.memory import MemoryAt, read_memory
from perdure.snapshot.prompt_inputs import prompt_inputs

_MOST = (400, 20_000)
"""How far back a thread is read: as far as for a new turn, then as far as it takes."""

_JOINED_SINCE = 3
"""The first version of assembly whose thread has all lines that a conversation continues from."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A prompt as it was, and what it was made from."""

    prompt: Prompt
    inputs: PromptInputs
    companion: CompanionAt
    memory: MemoryAt


def replay(repo: Repository, asked: AnswerCommit) -> Replayed:
    """Put the prompt together again, by the rules of its version.

    Raises:
        HistoryError: the tree that it was made from is not here.
        RequestProblem, CompanionProblem: that tree's companion cannot be read.
        UnknownAssembly: it was made by rules that this version does not have.
        ChoiceMissing: the tree lacks what the commit says was chosen.
    """
    facts = asked.facts
    rules = assembly(facts.assembly)
    if not asked.base:  # the end of a shallow clone, whose own tree is a later one
        raise UnknownRevision(f"what {asked.commit.id} was made from is not here")
    base = repo.resolve(asked.base)
    companion = read_companion(repo, base)
    excluded = read_excluded(repo, base)
    turns = _conversation(asked, Transcript(repo, base), excluded)
    # The first version had none of it, and what the tree had of it says nothing about the prompt.
    memory = (
        read_memory(repo, base, excluded, facts.summaries, latest=0)
        if facts.assembly > 1
        else MemoryAt()
    )
    recalled = [
        TurnId(each.conversation, number)
        for each in facts.recalled
        for number in range(each.first, each.last + 1)
    ]
    inputs = replace(
        prompt_inputs(companion, tuple(turns), memory),
        recalled=read_turns(repo, base, recalled),
    )
    choice = recorded_choice(facts, inputs)
    if choice is None:
        raise ChoiceMissing("the commit does not say which turn the prompt began with")
    try:
        return Replayed(rules(inputs, choice), inputs, companion, memory)
    except ValueError as error:
        raise ChoiceMissing(f"the conversation has no turn {choice.window}") from error


def _conversation(
    asked: AnswerCommit, transcript: Transcript, excluded: Excluded
) -> list[PastTurn]:
    """The thread with the message that was answered at its end, as of the base."""
    for most in _MOST:
        found = _thread(asked, transcript, excluded, most)
        if any(past.id == asked.facts.window for past in found):
            break
        if asked.facts.assembly >= _JOINED_SINCE:
            whole = whole_history(transcript, found, excluded=excluded)
            if whole and whole[0].id == asked.facts.window:
                return whole
    if not found:
        raise ChoiceMissing(f"there is no conversation before {asked.facts.turn}")
    return found


def _thread(
    asked: AnswerCommit, transcript: Transcript, excluded: Excluded, most: int
) -> list[PastTurn]:
    turn = asked.facts.turn
    there = transcript.find(turn.conversation)
    stood = transcript.turn(turn) if there is not None else None

    def before(ends: Sequence[TurnId], keep: TurnId | None) -> list[PastTurn]:
        read = merged_thread if asked.facts.assembly >= _JOINED_SINCE else _single_line
        return read(transcript, ends, most=most, excluded=excluded, keep=keep)

    if there is not None and stood is not None:
        # Answered later, or once more: it is already in the conversation.
        past = [each for each in before((turn,), turn) if each.id != turn]
        said = stood.message
        return [*past, PastTurn(turn, Turn(turn.number, said))] if said is not None else past
    head, new = asked.head, asked.turns
    message = new[turn.number].message if turn.number in new else None
    ends = head.ends if head is not None else ()
    if there is not None:
        ends = (TurnId(there.id, LAST_NUMBER),)
    keep = head.continues if message is None and head is not None and there is None else None
    past = before(ends, keep)
    if there is None and 0 in new:
        past.append(PastTurn(TurnId(turn.conversation, 0), new[0]))
    if message is not None:
        past.append(PastTurn(turn, Turn(turn.number, message)))
    return past


def _single_line(
    transcript: Transcript,
    ends: Sequence[TurnId],
    *,
    most: int,
    excluded: Excluded,
    keep: TurnId | None,
) -> list[PastTurn]:
    """The thread as versions 1 and 2 read it: back from the first of these ends."""
    origin = transcript.find(ends[0].conversation) if ends else None
    if origin is None:
        return []
    return thread(transcript, origin, most=most, until=ends[0], excluded=excluded, keep=keep)
