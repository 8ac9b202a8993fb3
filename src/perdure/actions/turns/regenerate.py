"""Planning another answer to a turn: in place, or on a branch that begins there."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.actions.errors import CannotAct
from perdure.actions.history.rewind import RewindPlan, RewindTarget, plan_rewind
from perdure.actions.turns.rewrite import StoredTurn, find_stored_turn
from perdure.actions.workspace import Workspace, refuse_key
from perdure.companion.conversation.edit import answers
from perdure.companion.ids import ConversationId, TurnId
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.snapshot.conversation.transcript import Transcript, last_turn
from perdure.snapshot.conversation.turn_commits import commit_of_turn
from perdure.snapshot.conversation.turn_names import first_words, name_turn
from perdure.snapshot.errors import UnknownTurn
from perdure.snapshot.revisions.ahead import ahead


@dataclass(frozen=True, slots=True)
class RegeneratePlan:
    """Where another answer to a turn goes.

    Attributes:
        turn: the turn.
        words: its first words.
        rewind: how the branch begins that it goes on; None: it stays on this one, in place.
    """

    turn: TurnId
    words: str
    rewind: RewindPlan | None

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        if self.rewind is None:
            what = f"Another answer to “{self.words}”"
            return [f"{what}; the current one is kept."]
        return ["This is not the newest message.", *self.rewind.describe()]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        rewind = self.rewind.to_dict() if self.rewind else None
        return {"turn": str(self.turn), "in_place": rewind is None, "rewind": rewind}


def plan_regenerate(
    workspace: Workspace,
    where: str = "@",
    name: str = "",
    *,
    own: ConversationId | None = None,
    progress: Progress | None = None,
) -> RegeneratePlan:
    """Where another answer to a turn would go.

    Args:
        workspace: the companion.
        where: a turn's name.
        name: of the branch, where one has to begin; a generated one without.
        own: the conversation of the chat; without one, the newest.
        progress: called while an index of the history is made.

    Raises:
        UnknownTurn: there is no such turn.
        CannotAct: no branch is checked out.
        CompanionProblem: the turn's file is damaged; names file and line.
    """
    repo, tip = workspace.repo, workspace.tip
    transcript = Transcript(repo, tip)
    refuse_key(name)
    turn_id = name_turn(transcript, where)
    stored = stored_turn(repo, transcript, turn_id)
    words = first_words(stored.turn)
    newest = transcript.last_conversation()
    is_newest = newest is not None and turn_id.conversation in {newest.id, own}
    if stored.is_last and is_newest:
        _ = workspace.branch
        return RegeneratePlan(turn_id, words, None)
    if turn_id.number == 0:
        rewind = _before(workspace, turn_id, name, progress)
    else:
        rewind = plan_rewind(workspace, str(turn_id), name, progress)
    return RegeneratePlan(turn_id, words, rewind)


def stored_turn(repo: Repository, transcript: Transcript, turn_id: TurnId) -> StoredTurn:
    """Where a turn stands. Raises UnknownTurn, or CompanionProblem for a damaged file."""
    stored = find_stored_turn(repo, transcript, turn_id)
    if stored is None:
        raise UnknownTurn(f"there is no turn {turn_id} here.", kept="Nothing was changed")
    answers(stored.files, turn_id.number)
    return stored


def _before(
    workspace: Workspace, turn_id: TurnId, name: str, progress: Progress | None
) -> RewindPlan:
    """A branch that begins before a conversation did: its greeting came with the first turn."""
    repo = workspace.repo
    first = commit_of_turn(repo, workspace.tip, turn_id, progress)
    parents = repo.commits.parents(first.id) if first else ()
    if not parents:
        raise CannotAct("there is nothing before that greeting to start a branch at")
    return RewindPlan(
        RewindTarget(None, parents[0]),
        "",
        name or repo.free_branch(workspace.generated("rewind")),
        workspace.branch,
        ahead(repo, workspace.tip, [parents[0]]),
    )


def last_turn_name(transcript: Transcript, conversation: ConversationId | None) -> str:
    """Name of the last turn of a conversation, or of all; ``@`` where there is none."""
    found = transcript.find(conversation) if conversation else None
    last = last_turn(transcript, found) if found else None
    return f"{found.id}/{last.number}" if found and last else "@"
