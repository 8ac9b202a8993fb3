"""Merge a branch into the current one: conversations turn by turn, persona and memory by lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perdure.actions.errors import CannotAct
from perdure.actions.workspace import Workspace, check_readable
from perdure.companion.clock import now
from perdure.companion.conversation.merge import is_chunk, merge_conversations
from perdure.companion.errors import CompanionProblem, NewerFormat
from perdure.companion.memory.summaries import is_summary, merge_summaries
from perdure.companion.names import title_from
from perdure.git.errors import UnknownRevision
from perdure.git.merge import merge as git_merge
from perdure.git.merge.merge import OpenMerge
from perdure.git.merge.plan import FileConflict, MergePlan, plan_merge
from perdure.git.merge.sides import Resolver, ThreeWay
from perdure.git.operations.branches import branches, check_checkout
from perdure.git.operations.operation import Operation
from perdure.git.paths import check_path
from perdure.git.repository.repository import Change
from perdure.git.worktree.merge_state import marked
from perdure.snapshot.revisions.ahead import Ahead, ahead


def _claims(path: str) -> bool:
    return is_chunk(path) or is_summary(path)


def _merge(
    files: Sequence[ThreeWay], read: Callable[[str], ThreeWay]
) -> Mapping[str, bytes | None]:
    """Merge conversations and their summaries, which never conflict."""
    chunks = merge_conversations([file for file in files if is_chunk(file.path)], read)
    return {**chunks, **merge_summaries(file for file in files if not is_chunk(file.path))}


def _is_sound(path: str, content: bytes) -> bool:
    """Whether the program can still read a file after lines of both sides came together."""
    from perdure.companion.memory.lore import is_lore, read_entry
    from perdure.companion.yaml.strict import read_mapping

    try:
        check_readable(Change(path, content))
        if is_lore(path):
            read_entry(content, path)
        elif path.endswith(".yaml"):
            read_mapping(content, path)
    except NewerFormat:
        return True
    except CompanionProblem:
        return False
    return True


RESOLVER = Resolver(_claims, _merge, _is_sound, lambda path: path.endswith(".yaml"))
_CONVERSATIONS = ("conversations/", "alternatives/")
_REMOVED = {
    "ours": "deleted here, changed there",
    "theirs": "changed here, deleted there",
    "": "deleted on both sides",
}


@dataclass(frozen=True, slots=True)
class BranchMerge:
    """What a merge will do. ``brings`` is what only the other branch has."""

    plan: MergePlan
    brings: Ahead

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        plan = self.plan
        if plan.kind == "nothing":
            return [f"Everything on {plan.name} is already on {plan.branch}."]
        lines = [f"Merges {plan.name} into {plan.branch}: {self.brings}."]
        turns = sum(change.path.startswith(_CONVERSATIONS) for change in plan.changes)
        other = [c.path for c in plan.changes if not c.path.startswith(_CONVERSATIONS)]
        if turns:
            lines.append("Conversations are combined; none is lost, and none conflicts.")
        conflicts = {conflict.path for conflict in plan.conflicts}
        lines += [f"  changes {path}" for path in other if path not in conflicts]
        if plan.conflicts:
            lines.append("Both sides changed these in different ways:")
            for conflict in plan.conflicts:
                lines += _conflict_lines(conflict)
            lines.append(f"Until that is resolved, she goes on as she is on {plan.branch}.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        plan = self.plan
        return {
            "kind": plan.kind,
            "branch": plan.branch,
            "merges": plan.name,
            "commit": plan.theirs,
            "brings": self.brings.to_dict(),
            "files": [change.path for change in plan.changes],
            "conflicts": [conflict_record(conflict) for conflict in plan.conflicts],
        }


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The result of a merge: an entry in the log of operations, or files in conflict."""

    plan: BranchMerge
    operation: Operation | None
    conflicts: tuple[FileConflict, ...]


def _conflict_lines(conflict: FileConflict) -> list[str]:
    match conflict.kind:
        case "text":
            lines = [
                f"  {conflict.path}" + (" (no conflict markers are left in it)" * conflict.settled)
            ]
            for ours, theirs in conflict.pairs:
                lines += [f"      here:  {_head(ours)}", f"      there: {_head(theirs)}"]
            return lines
        case "removed":
            return [f"  {conflict.path}: {_REMOVED[conflict.gone]}"]
        case _:
            return [f"  {conflict.path}: not text, and different on both sides"]


def _head(lines: bytes) -> str:
    return title_from(lines.decode("utf-8", "replace"), 60) or "(nothing)"


def conflict_record(conflict: FileConflict) -> dict[str, object]:
    """As plain data."""
    return {
        "file": conflict.path,
        "kind": conflict.kind,
        "settled": conflict.settled,
        "gone": {"ours": "here", "theirs": "there"}.get(conflict.gone),
        "sides": [
            {"here": ours.decode("utf-8", "replace"), "there": theirs.decode("utf-8", "replace")}
            for ours, theirs in conflict.pairs
        ],
    }


def plan_branch_merge(workspace: Workspace, name: str) -> BranchMerge:
    """Plan to merge a branch, or any other revision.

    Raises:
        CannotAct: no branch is checked out.
        UnknownRevision: there is no such branch.
        CannotMerge: the two have no common past here.
        BadPath, TooManyFiles: what would come cannot be written to the disk.
    """
    _ = workspace.branch
    try:
        workspace.repo.resolve(name)
    except UnknownRevision as problem:
        raise UnknownRevision(
            f"there is no branch {name}", "nothing was changed", "perdure branch lists them"
        ) from problem
    plan = plan_merge(workspace.repo, name, resolver=RESOLVER)
    if plan.kind == "forward":
        check_checkout(workspace.repo, plan.theirs)
    for change in plan.changes:
        check_path(change.path)
    return BranchMerge(plan, ahead(workspace.repo, plan.theirs, [plan.ours]))


def merge_branch(workspace: Workspace, name: str) -> MergeResult:
    """Merge a branch into the one that is checked out.

    Without conflicts it is one commit. With conflicts it stays open, as git leaves one, until
    `conclude` or `abort`, or ``git commit`` and ``git merge --abort``.

    Raises:
        UnsavedEdits: files with edits are in the way; with conflicts also anything staged.
        Unfinished: a merge or the like is open already.
        CannotMerge, UnknownRevision, Busy: nothing was changed.
    """
    plan_branch_merge(workspace, name)
    workspace.commit_hand_edits()
    before = plan_branch_merge(workspace, name)
    done = git_merge.merge(
        workspace.repo, name, author=workspace.author, resolver=RESOLVER, at=now()
    )
    return MergeResult(BranchMerge(done.plan, before.brings), done.operation, done.plan.conflicts)


@dataclass(frozen=True, slots=True)
class UnfinishedMerge:
    """A merge that waits to be concluded.

    Attributes:
        merge: what git knows of it.
        branch: the branch that is merged into.
        name: the branch that is merged, or the start of its commit's id where it has moved on.
    """

    merge: OpenMerge
    branch: str
    name: str

    @property
    def waits(self) -> int:
        """How many files are still in conflict."""
        return sum(not conflict.settled for conflict in self.merge.conflicts)

    def describe(self) -> list[str]:
        """What the merge waits for, and the next steps."""
        lines = [f"A merge of {self.name} into {self.branch} is open."]
        for conflict in self.merge.conflicts:
            lines += _conflict_lines(conflict)
        if self.waits:
            lines += [
                "Open each file, keep the lines you want, and delete the conflict markers. Or take",
                "one side of the whole file: perdure merge --ours FILE, or --theirs FILE.",
            ]
        lines += [
            "Then: perdure merge --continue (or git commit). To abort: perdure merge --abort",
            f"Until then she goes on as she is on {self.branch}.",
        ]
        return lines


def unfinished_merge(workspace: Workspace) -> UnfinishedMerge | None:
    """The merge that is open in this folder, whoever began it; None without one."""
    found = git_merge.open_merge(workspace.repo)
    if found is None:
        return None
    named = (branch.name for branch in branches(workspace.repo) if branch.commit == found.theirs)
    return UnfinishedMerge(
        found, workspace.repo.head().branch or "HEAD", next(named, found.theirs[:10])
    )


def _need_open(workspace: Workspace) -> UnfinishedMerge:
    found = unfinished_merge(workspace)
    if found is None:
        raise CannotAct(
            "no merge is open",
            next_step="perdure log shows whether it was completed; perdure merge BRANCH starts one",
        )
    return found


def take_side(workspace: Workspace, path: str, side: str) -> None:
    """Resolve a conflict with one side's version: ``ours`` or ``theirs``.

    Raises:
        CannotAct: no merge is open.
        HistoryError: the file is not in conflict, or git is writing.
    """
    found = _need_open(workspace)
    rev = workspace.tip if side == "ours" else found.merge.theirs
    git_merge.settle_conflict(workspace.repo, path, workspace.repo.read(path, rev))


def marks_in(content: bytes | None) -> bool:
    """Whether a file holds conflict marks."""
    return bool(content and marked(content))


def take_file(workspace: Workspace, path: str) -> None:
    """Resolve a conflict with the file as it is in the folder.

    Raises:
        CannotAct: no merge is open.
        StillInConflict: marks are left in it.
        HistoryError: the file is not in conflict, or git is writing.
    """
    _need_open(workspace)
    content = git_merge.content_to_settle(workspace.repo, path)
    git_merge.settle_conflict(workspace.repo, path, content)


def conclude(workspace: Workspace) -> Operation:
    """Commit the open merge with the files as they are.

    Raises:
        CannotAct: no merge is open.
        StillInConflict: files with marks in them, or that one side took away, are not settled.
        UnsavedEdits, Busy: nothing was changed.
    """
    _need_open(workspace)
    return git_merge.conclude_merge(workspace.repo, author=workspace.author, at=now())


def abort(workspace: Workspace) -> None:
    """Give up the open merge; the files are again as the branch has them.

    Raises:
        CannotAct: no merge is open.
        UnsavedEdits: files that the merge had brought were edited since.
    """
    _need_open(workspace)
    git_merge.abort_merge(workspace.repo)
