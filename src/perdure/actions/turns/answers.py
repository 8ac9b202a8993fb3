"""Listing the answers to a turn, and choosing the one that stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perdure.actions.errors import CannotAct
from perdure.actions.history.rewind import rewind
from perdure.actions.turns.greeting import add_greeting, greeting_answers
from perdure.actions.turns.location import new_conversation
from perdure.actions.turns.regenerate import RegeneratePlan, plan_regenerate, stored_turn
from perdure.actions.turns.rewrite import ChunkEdit, StoredTurn, rewrite_here
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.companion.conversation.chunk import render_head, render_turn
from perdure.companion.conversation.edit import (
    Answer,
    ChunkFiles,
    alternatives_path,
    answers,
    choose_answer,
    open_chunk,
    other_wording,
    with_alternatives,
)
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.names import title_from
from perdure.companion.turns import Turn
from perdure.git.repository.repository import Change
from perdure.progress import Progress
from perdure.snapshot.companion import read_companion
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import first_words, name_turn


@dataclass(frozen=True, slots=True)
class TurnAnswers:
    """Every answer to a turn, by number; which one stands is in each.

    Attributes:
        turn: the turn.
        words: what the user said.
        rows: the answers.
        other_words: what the user said by the other side of a merge, where both had corrected it.
    """

    turn: TurnId
    words: str
    rows: tuple[Answer, ...]
    other_words: str = ""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "turn": str(self.turn),
            "other_words": self.other_words or None,
            "answers": [
                {
                    "number": row.number,
                    "stands": row.shown,
                    "replies": [
                        {
                            "speaker": reply.speaker,
                            "text": reply.text,
                            "at": reply.at.isoformat() if reply.at else None,
                            "backend": reply.backend,
                            "model": reply.model,
                            "interrupted": reply.interrupted,
                            "stand_in": reply.stand_in,
                        }
                        for reply in row.replies
                    ],
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """What choosing an answer does."""

    again: RegeneratePlan
    answer: Answer

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        words = title_from(self.answer.replies[0].text, 48)
        line = f"Shows answer {self.answer.number} to “{self.again.words}”: “{words}”."
        if self.again.rewind is None:
            return [line]
        return [*self.again.describe(), line]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {**self.again.to_dict(), "answer": self.answer.number}


@dataclass(frozen=True, slots=True)
class ChosenAnswer:
    """An answer that stands now: where, and the commit that says so."""

    turn: TurnId
    commit: str
    branch: str


def list_answers(workspace: Workspace, where: str) -> TurnAnswers:
    """Every answer to a turn. For a greeting, the persona's others too.

    Raises:
        UnknownTurn: there is no such turn.
        CompanionProblem: the turn's file is damaged.
    """
    transcript = Transcript(workspace.repo, workspace.tip)
    stored = stored_turn(workspace.repo, transcript, name_turn(transcript, where))
    other = other_wording(stored.files, stored.turn_id.number)
    rows = _answers(workspace, stored)
    return TurnAnswers(stored.turn_id, first_words(stored.turn), rows, other.text if other else "")


def _answers(workspace: Workspace, stored: StoredTurn) -> tuple[Answer, ...]:
    if stored.turn_id.number == 0:
        return greeting_answers(read_companion(workspace.repo, workspace.tip), stored.files)
    return answers(stored.files, stored.turn_id.number)


def plan_choice(
    workspace: Workspace,
    where: str,
    number: int,
    name: str = "",
    *,
    own: ConversationId | None = None,
    progress: Progress | None = None,
) -> AnswerPlan:
    """What letting another answer stand would do.

    Args:
        workspace: the companion.
        where: the turn's name.
        number: the answer's.
        name: of the branch, where one has to begin; a generated one without.
        own: the conversation of the chat; the newest without one.
        progress: called while an index of the history is made.

    Raises:
        UnknownTurn: there is no such turn.
        CannotAct: there is no such answer, or it stands already.
        CompanionProblem: the turn's file is damaged.
    """
    found = list_answers(workspace, where)
    wanted = next((row for row in found.rows if row.number == number), None)
    if wanted is None:
        numbers = ", ".join(str(row.number) for row in found.rows)
        raise CannotAct(
            f"“{found.words}” has no answer {number}",
            next_step=f"there are: {numbers}" if numbers else "perdure say --resume asks for one",
        )
    if wanted.shown:
        raise CannotAct(f"answer {number} to “{found.words}” is already the one shown")
    return AnswerPlan(
        plan_regenerate(workspace, str(found.turn), name, own=own, progress=progress), wanted
    )


def choose(workspace: Workspace, plan: AnswerPlan) -> ChosenAnswer:
    """Let an answer stand.

    Raises:
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy, TipMoved: nothing was changed.
    """
    turn_id = plan.again.turn
    companion = read_companion(workspace.repo, workspace.tip)
    stored = stored_turn(workspace.repo, Transcript(workspace.repo, workspace.tip), turn_id)
    if plan.again.rewind is not None:
        rewind(workspace, plan.again.rewind)
    if turn_id.number == 0:
        fresh = plan.again.rewind is not None
        done = add_greeting(workspace, companion, stored, plan.answer.number, fresh=fresh)
        return ChosenAnswer(done.turn, done.commit, workspace.branch)
    if plan.again.rewind is not None and plan.again.rewind.later:
        return _beside(workspace, stored, plan.answer)
    return ChosenAnswer(turn_id, _swap(workspace, turn_id, plan.answer), workspace.branch)


def _swap(workspace: Workspace, turn_id: TurnId, answer: Answer) -> str:
    def swapped(stored: StoredTurn) -> ChunkEdit:
        words = first_words(stored.turn)
        message = (
            f"edit: answer {answer.number} to “{words}”\n\n"
            f"In {turn_id} answer {answer.number} stands now.\n"
        )
        return ChunkEdit(_with(stored.files, turn_id.number, answer), lambda _: message)

    return rewrite_here(workspace, turn_id, swapped)


def _with(files: ChunkFiles, number: int, answer: Answer) -> ChunkFiles:
    """The files with an answer that stands, in the words that were chosen.

    It may have come, or have been corrected, later than the files did.
    """
    there = next((row for row in answers(files, number) if row.number == answer.number), None)
    if there is not None and there.replies == answer.replies:
        return choose_answer(files, number, answer.number)
    sheet = open_chunk(files.chunk, files.path)
    turn = sheet.turn(number)
    head = sheet.head.aside
    path = alternatives_path(files.path)
    other = open_chunk(files.alternatives or render_head(head), path)
    beside = other.turn(number)
    said = (*(turn.replies if turn else ()), *(beside.replies if beside else ()))
    other = other.without(number)
    if beside is not None and beside.message is not None:
        other = other.with_turn(Turn(number, beside.message))
    other = with_alternatives(
        other, number, [reply for reply in said if reply.answer != answer.number]
    )
    message = turn.message if turn else None
    sheet = sheet.with_turn(Turn(number, message, answer.replies))
    aside = other.render() if other.turns else None
    return replace(files, chunk=sheet.render(), alternatives=aside)


def _beside(workspace: Workspace, stored: StoredTurn, answer: Answer) -> ChosenAnswer:
    """Later turns came in the same commit, as imports do: a conversation goes on before them."""
    head, at = stored.location.head, now()
    before = TurnId(stored.turn_id.conversation, stored.turn_id.number - 1)
    location = new_conversation(
        at, title=head.title, participants=head.participants, continues=before
    )
    replies = tuple(replace(reply, answer=1) for reply in answer.replies)
    turn = Turn(location.number, stored.turn.message, replies)
    message = (
        f"edit: answer {answer.number} to “{first_words(stored.turn)}”\n\nOf {stored.turn_id}.\n"
    )
    commit = workspace.repo.commit(
        [Change(location.path, render_head(location.head) + render_turn(turn))],
        message=message,
        author=workspace.author,
        branch=workspace.branch,
        at=at,
        expect={location.path: None},
    )
    return ChosenAnswer(location.turn_id, commit, workspace.branch)
