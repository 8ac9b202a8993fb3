"""The answers to a turn, and the choice among them: a swap in place, or a branch further up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perdure.actions.errors import CannotAct
from perdure.actions.history.rewind import rewind
from perdure.actions.turns.greeting import add_greeting, greeting_answers
from perdure.actions.turns.place import begin
from perdure.actions.turns.regenerate import (
    AgainPlan,
    plan_again,
    stored_turn,
)
from perdure.actions.turns.rewrite import Rewriting, StoredTurn, rewrite
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
class Answers:
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
class ChoicePlan:
    """What choosing an answer does."""

    again: AgainPlan
    answer: Answer

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        words = title_from(self.answer.replies[0].text, 48)
        line = f"Answer {self.answer.number} to “{self.again.words}” stands: “{words}”."
        if self.again.rewind is None:
            return [line]
        return [*self.again.describe(), line]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {**self.again.to_dict(), "answer": self.answer.number}


@dataclass(frozen=True, slots=True)
class Chosen:
    """An answer that stands now: where, and the commit that says so."""

    turn: TurnId
    commit: str
    branch: str


def list_answers(workspace: Workspace, where: str) -> Answers:
    """Every answer to a turn. For a greeting, the persona's others too.

    Raises:
        UnknownTurn: there is no such turn.
        CompanionProblem: the turn's file is damaged.
    """
    transcript = Transcript(workspace.repo, workspace.tip)
    spot = stored_turn(workspace.repo, transcript, name_turn(transcript, where))
    other = other_wording(spot.files, spot.turn_id.number)
    rows = _answers(workspace, spot)
    return Answers(spot.turn_id, first_words(spot.turn), rows, other.text if other else "")


def _answers(workspace: Workspace, spot: StoredTurn) -> tuple[Answer, ...]:
    if spot.turn_id.number == 0:
        return greeting_answers(read_companion(workspace.repo, workspace.tip), spot.files)
    return answers(spot.files, spot.turn_id.number)


def plan_choice(
    workspace: Workspace,
    where: str,
    number: int,
    name: str = "",
    *,
    own: ConversationId | None = None,
    progress: Progress | None = None,
) -> ChoicePlan:
    """What letting another answer stand would do.

    Args:
        workspace: the companion.
        where: the turn's name.
        number: the answer's.
        name: of the branch, where one has to begin; a generated one without.
        own: the conversation that is talked in; the newest without one.
        progress: told while an index of the history is made.

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
            kept="nothing was changed",
            next_step=f"there are: {numbers}" if numbers else "perdure say --resume asks for one",
        )
    if wanted.shown:
        raise CannotAct(
            f"answer {number} to “{found.words}” stands already", kept="nothing was changed"
        )
    return ChoicePlan(
        plan_again(workspace, str(found.turn), name, own=own, progress=progress), wanted
    )


def choose(workspace: Workspace, plan: ChoicePlan) -> Chosen:
    """Let an answer stand.

    Raises:
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy, TipMoved: nothing was changed.
    """
    turn_id = plan.again.turn
    companion = read_companion(workspace.repo, workspace.tip)
    spot = stored_turn(workspace.repo, Transcript(workspace.repo, workspace.tip), turn_id)
    if plan.again.rewind is not None:
        rewind(workspace, plan.again.rewind)
    if turn_id.number == 0:
        fresh = plan.again.rewind is not None
        done = add_greeting(workspace, companion, spot, plan.answer.number, fresh=fresh)
        return Chosen(done.turn, done.commit, workspace.branch)
    if plan.again.rewind is not None and plan.again.rewind.later:
        return _beside(workspace, spot, plan.answer)
    return Chosen(turn_id, _swap(workspace, turn_id, plan.answer), workspace.branch)


def _swap(workspace: Workspace, turn_id: TurnId, answer: Answer) -> str:
    def swapped(spot: StoredTurn) -> Rewriting:
        words = first_words(spot.turn)
        message = (
            f"edit: answer {answer.number} to “{words}”\n\n"
            f"In {turn_id} answer {answer.number} stands now.\n"
        )
        return Rewriting(_with(spot.files, turn_id.number, answer), lambda _: message)

    with workspace.leased() as lease:
        return rewrite(
            workspace.repo,
            lease,
            turn_id,
            swapped,
            branch=workspace.branch,
            author=workspace.author,
            at=now(),
        )


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


def _beside(workspace: Workspace, spot: StoredTurn, answer: Answer) -> Chosen:
    """Later turns came in the same commit, as imports do: a conversation goes on before them."""
    head, at = spot.place.head, now()
    before = TurnId(spot.turn_id.conversation, spot.turn_id.number - 1)
    place = begin(at, title=head.title, participants=head.participants, continues=before)
    replies = tuple(replace(reply, answer=1) for reply in answer.replies)
    turn = Turn(place.number, spot.turn.message, replies)
    commit = workspace.repo.commit(
        [Change(place.path, render_head(place.head) + render_turn(turn))],
        message=f"edit: answer {answer.number} to “{first_words(spot.turn)}”\n"
        f"\nOf {spot.turn_id}.\n",
        author=workspace.author,
        branch=workspace.branch,
        at=at,
        expect={place.path: None},
    )
    return Chosen(place.turn_id, commit, workspace.branch)
