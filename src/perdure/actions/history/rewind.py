"""Rewind: go on from an earlier turn on a new branch. The branch that one leaves stays as it is.

The entry in the log of operations names the turn, and `next_message` finds it there: so the next
message begins a conversation that ``continues:`` that turn, however long ago it was said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.actions.errors import CannotAct
from perdure.actions.history.next_message import last_turn_at
from perdure.actions.workspace import Workspace, refuse_key
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.names import title_from
from perdure.git.errors import UnknownRevision
from perdure.git.repository.repository import Repository
from perdure.plural import plural
from perdure.progress import Progress
from perdure.snapshot.conversation.newest_turns import conversation_turns
from perdure.snapshot.conversation.turn_commits import commit_of_turn
from perdure.snapshot.conversation.turn_names import find_turn_at
from perdure.snapshot.errors import UnknownTurn
from perdure.snapshot.revisions.ahead import Ahead, ahead
from perdure.snapshot.revisions.resolve import resolve_revision

if TYPE_CHECKING:
    from perdure.git.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class RewindTarget:
    """A turn, and the commit at which it was the last one."""

    turn: TurnId | None
    commit: str


@dataclass(frozen=True, slots=True)
class RewindPlan:
    """What a rewind will do.

    Attributes:
        target: where it goes.
        words: first words of the turn there, "" where nothing was said yet.
        name: the new branch.
        leaves: the branch that is left, and keeps all that is on it.
        ahead: what is only there.
        later: turns of the same conversation that came in the same commit, as imports do. They are
            in the files, and not in the prompt.
    """

    target: RewindTarget
    words: str
    name: str
    leaves: str
    ahead: Ahead
    later: int = 0

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        where = f"“{self.words}”" if self.words else "a turn without words"
        if self.target.turn is None:
            where = "before anything was said"
        lines = [f"Continues from {where}, on the new branch {self.name}."]
        if self.ahead:
            lines.append(f"The branch {self.leaves} keeps what came after: {self.ahead}.")
        else:
            lines.append(f"Nothing came after it; the branch {self.leaves} stays as it is.")
        if self.later:
            stays = "it stays" if self.later == 1 else "they stay"
            came = plural(self.later, "later turn")
            lines.append(
                f"{came} came in the same commit: {stays} in the files, but out of the prompt."
            )
        lines.append("Persona and memory are as they were then.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "turn": str(self.target.turn) if self.target.turn else None,
            "commit": self.target.commit,
            "branch": self.name,
            "leaves": self.leaves,
            "left": self.ahead.to_dict(),
            "later": self.later,
        }


def find_target(repo: Repository, text: str, progress: Progress | None = None) -> RewindTarget:
    """Find what ``@``, ``@-3``, ``7``, part of a turn's id, a date or a revision names.

    A date means the last word of that day, a revision the last word as of that commit.

    Raises:
        UnknownTurn, NoRevision, UnknownRevision: it names nothing here.
    """
    name = text.strip()
    tip = repo.resolve("HEAD")
    trouble: UnknownTurn | None = None
    whole = TurnId.read(name)
    # A whole id is no date, and need not be read as one.
    if whole or name.startswith("@") or not _is_date(name):
        try:
            turn = whole or find_turn_at(repo, tip, name, progress)
            if turn is not None:
                return RewindTarget(turn, _as_of(repo, tip, turn, progress))
        except UnknownTurn as error:
            trouble = error
    try:
        commit = resolve_revision(repo, name, None, now(), progress)
    except (UnknownTurn, UnknownRevision):
        raise (trouble or UnknownTurn(f"{text!r} is not a turn here.")) from None
    return RewindTarget(last_turn_at(repo, commit), commit)


def _is_date(name: str) -> bool:
    from perdure.snapshot.revisions.dates import parse_date

    return parse_date(name, now()) is not None


def _as_of(repo: Repository, tip: str, turn: TurnId, progress: Progress | None) -> str:
    """The newest commit of a turn before anything followed it, so that later answers count."""
    first = commit_of_turn(repo, tip, turn, progress)
    if first is None:
        raise UnknownTurn(f"no commit here added the turn {turn}.")
    later = repo.timeline(progress).turn(tip, str(turn))
    if len(later) < 2 or last_turn_at(repo, first.id) != turn:
        return first.id
    return next(
        (info.id for info in reversed(later) if last_turn_at(repo, info.id) == turn),
        first.id,
    )


def plan_rewind(
    workspace: Workspace, where: str, name: str = "", progress: Progress | None = None
) -> RewindPlan:
    """Plan to go on from an earlier turn.

    Args:
        workspace: the companion.
        where: as `find_target` takes it.
        name: the new branch's name; a generated one without.
        progress: called while an index of the history is made.

    Raises:
        UnknownTurn, NoRevision, UnknownRevision: there is no such place.
        CannotAct: no branch is checked out, the place is where one stands already, or the name
            holds a key.
        BadPath, CannotMerge, TooManyFiles: the files there cannot be written to the disk.
    """
    from perdure.git.operations.branches import check_checkout

    refuse_key(name)
    repo, leaves, tip = workspace.repo, workspace.branch, workspace.tip
    target = find_target(repo, where, progress)
    turn, later = None, 0
    if target.turn is not None:
        turns = conversation_turns(repo, target.commit, target.turn.conversation, progress)
        turn = next((each for each in turns if each.number == target.turn.number), None)
        later = turns[-1].number - target.turn.number if turns else 0
    if target.commit == tip and not later:
        raise CannotAct(
            f"{where} is already the last turn here",
            next_step="just go on talking; to start a second branch here: perdure branch NAME, "
            "then perdure switch NAME",
        )
    check_checkout(repo, target.commit)
    return RewindPlan(
        target,
        title_from((turn.message or turn.replies[0]).text) if turn else "",
        name or repo.free_branch(workspace.generated("rewind")),
        leaves,
        ahead(repo, tip, [target.commit]),
        later,
    )


def rewind(workspace: Workspace, plan: RewindPlan, kind: str = "rewind") -> Operation:
    """Do what a plan says, as one entry in the log of operations.

    Raises:
        BadPath: the branch's name is taken, or git would not take it.
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: nothing was changed.
    """
    from perdure.git.operations.branches import start_branch

    turn = plan.target.turn
    words = f"to {turn} “{plan.words}”" if turn else f"to {plan.target.commit[:10]}"
    from perdure.actions.agreement import own_step

    with own_step(workspace.repo):
        return start_branch(
            workspace.repo,
            plan.name,
            plan.target.commit,
            author=workspace.author,
            kind=kind,
            description=f"{words}, on {plan.name}",
            at=now(),
        )
