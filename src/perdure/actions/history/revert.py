"""Revert: take back one change of persona, lore, memory or settings, and keep all turns since.

File by file, three ways: the change is the common past, the files as they are now one side, the
files before the change the other. So later edits of other lines stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.actions.errors import CannotRevert
from perdure.actions.history.affected_turns import affected_turns
from perdure.actions.history.next_message import NEW_CONVERSATION
from perdure.actions.memory.derived import NOTHING_DERIVED, Derived, derived_from
from perdure.actions.memory.exclude import as_ranges
from perdure.actions.workspace import Workspace
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.ids import TurnId
from perdure.companion.memory.aside import Aside, TurnRange, aside_path, render_aside
from perdure.git.merge.text import merge_text
from perdure.git.paths import check_path
from perdure.git.refs.ancestry import Reach
from perdure.git.repository.repository import Change, CommitInfo, FileChange, Repository
from perdure.plural import plural
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_text import commit_label, turns_label

_CONVERSATIONS = ("conversations/", "alternatives/")
_VOICE = ("persona/", "lore/", "memory/", "backends/", SETTINGS)
_BULLET = (b"- ", b"* ", b"+ ")
_SILENT = ("memory/aside/", "memory/summaries/", "memory/review/", "backends.lock/")


@dataclass(frozen=True, slots=True)
class RevertPlan:
    """What a revert will do.

    Attributes:
        commit: the change that is taken back.
        changes: the files afterwards.
        conversations: files of conversations that the commit touched too; they stay as they are.
        turns: turns that were answered under the change, oldest first, without those set aside.
        tip: the commit that all this was thought out from.
        memory: facts and summaries that were made from those turns.
        under: those turns, in words.
    """

    commit: CommitInfo
    changes: tuple[Change, ...]
    conversations: tuple[str, ...]
    turns: tuple[TurnId, ...]
    tip: str
    memory: Derived = NOTHING_DERIVED
    under: str = ""

    @property
    def ranges(self) -> tuple[TurnRange, ...]:
        """The turns as ranges within conversations."""
        return as_ranges(self.turns)

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        info = self.commit
        lines = [f"Takes back {commit_label(info)}."]
        lines += [
            f"  {'removes' if change.content is None else 'changes'} {change.path}"
            for change in self.changes
        ]
        if self.conversations:
            lines.append(f"The conversation in that commit stays: {', '.join(self.conversations)}.")
        if self.turns:
            lines.append(f"Answered under it: {self.under}.")
            lines += self.memory.describe()
        else:
            lines.append("No turn was answered under it.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "commit": self.commit.id,
            "subject": self.commit.subject,
            "files": [change.path for change in self.changes],
            "removed": [change.path for change in self.changes if change.content is None],
            "turns": [str(turn) for turn in self.turns],
            **self.memory.to_dict(),
        }


def plan_revert(workspace: Workspace, commit: str) -> RevertPlan:
    """Plan to revert a commit.

    Args:
        workspace: the companion.
        commit: id of the commit.

    Raises:
        CannotRevert: a turn, a merge, the first commit, one of another branch, one of which nothing
            is left, or one whose lines were changed since; each says what to do instead.
        BadPath: it brought, or took, a file whose name may not be written to the disk.
    """
    repo = workspace.repo
    info = repo.commit_info(commit)
    tip = workspace.tip
    parents = _checked(repo, info, tip)
    files = repo.commits.changed(info.id)
    conversations = tuple(file.path for file in files if file.path.startswith(_CONVERSATIONS))
    rest = [file for file in files if not file.path.startswith(_CONVERSATIONS)]
    if not rest:
        raise _not_for_turns(info)
    changes = [
        Change(file.path, content)
        for file in rest
        if (content := _without(repo, info, file, tip)) != repo.read(file.path, tip)
    ]
    for change in changes:
        check_path(change.path)
    if not changes:
        raise CannotRevert(
            f"nothing of {commit_label(info)} is left in the files",
            next_step="perdure log shows what has been done since",
        )
    heard = any(file.path.startswith(_VOICE) and not file.path.startswith(_SILENT) for file in rest)
    turns = affected_turns(repo, parents, info.id, tip) if heard else ()
    reason = f"Answered under “{info.subject}”, which was reverted."
    memory = derived_from(repo, tip, as_ranges(turns), reason)
    under = turns_label(Transcript(repo, tip), turns) if turns else ""
    return RevertPlan(info, tuple(changes), conversations, turns, tip, memory, under)


def _checked(repo: Repository, info: CommitInfo, tip: str) -> tuple[str, ...]:
    """The parent of a commit that can be reverted. Raises CannotRevert for others."""
    parents = repo.commits.parents(info.id)
    if len(parents) > 1:
        raise CannotRevert(
            f"{commit_label(info)} is a merge: it joined two branches and has no change of its own",
            next_step="revert a change that it brought in, or continue from before it with: "
            "perdure rewind",
        )
    if not parents:
        raise CannotRevert(f"{commit_label(info)} is where this history begins")
    if not Reach(repo.commit_info).is_ancestor(info.id, tip):
        raise CannotRevert(
            f"{commit_label(info)} is not on this branch",
            next_step="perdure switch to a branch that has it",
        )
    return parents


def _not_for_turns(info: CommitInfo) -> CannotRevert:
    turn = next((value for key, value in info.trailers if key == "Turn"), "TURN")
    return CannotRevert(
        f"{commit_label(info)} is part of a conversation, and later words answer it",
        next_step="to continue from before it: perdure rewind; to keep it out of prompts: perdure "
        f"aside {turn}; to correct its words: perdure edit {turn}; to take back the last turn: "
        "perdure undo",
    )


def _without(repo: Repository, info: CommitInfo, file: FileChange, tip: str) -> bytes | None:
    """A file at the tip without what a commit did to it. Raises CannotRevert."""
    before = repo.blob(file.old_oid) if file.old_oid else None
    after = repo.blob(file.new_oid) if file.new_oid else None
    current = repo.read(file.path, tip)
    if current == after:
        return before
    if current == before:
        return current
    if before is not None and after is not None and current is not None:
        merged = merge_text(after, current, before)
        is_text = b"\0" not in current + before + after
        if is_text and not merged.pairs:
            return merged.content
    if file.path.startswith("memory/facts/"):
        return _set_of_lines(before or b"", after or b"", current or b"")
    if file.path.startswith("memory/review/"):
        return current  # other proposals were answered since: what was answered stays so
    raise _changed_since(repo, info, file.path, tip)


def _set_of_lines(before: bytes, after: bytes, current: bytes) -> bytes | None:
    """Revert a file of facts line by line: what came goes, what went comes back. None: no file."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    came = {line for line in set(new) - set(old) if line.startswith(_BULLET)}
    went = [line for line in old if line.startswith(_BULLET) and line not in new]
    head = current or b"".join(line for line in old if not line.startswith(_BULLET))
    kept = [line for line in head.splitlines(keepends=True) if line not in came]
    if kept and not kept[-1].endswith(b"\n"):
        kept[-1] += b"\n"
    lines = [*kept, *(line for line in went if line not in kept)]
    return b"".join(lines) if any(line.startswith(_BULLET) for line in lines) else None


def _changed_since(repo: Repository, info: CommitInfo, path: str, tip: str) -> CannotRevert:
    later = next(iter(repo.commits.log(rev=tip, paths=[path], limit=1)), None)
    by, first = "", "revert the later one first"
    if later is not None and later.id != info.id:
        by, first = f" by {commit_label(later)}", f"{first} (perdure revert {later.id[:10]})"
    return CannotRevert(
        f"the lines of {path} that {commit_label(info)} changed were changed again{by}",
        next_step=f"{first}, or edit {path} by hand: "
        f"perdure diff {info.id[:10]}~1 {info.id[:10]} shows what it changed",
    )


@dataclass(frozen=True, slots=True)
class Reverted:
    """The result of a revert. ``aside`` is the commit that excluded the turns, "" without one."""

    commit: str
    aside: str


def revert(workspace: Workspace, plan: RevertPlan, then: str = "keep") -> Reverted:
    """Do what a plan says.

    Args:
        workspace: the companion.
        plan: the plan.
        then: ``keep`` the turns in the prompt, begin a ``new`` conversation with the next message,
            or set the turns ``aside``, and the facts learned from them, as a commit of its own.

    Raises:
        CannotAct, CompanionProblem, HistoryError: nothing was changed.
    """
    info = plan.commit
    trailer = f"\n{NEW_CONVERSATION[0]}: {NEW_CONVERSATION[1]}\n" if then == "new" else ""
    message = f"revert: {info.subject}\n\nThis reverts commit {info.id}.\n{trailer}"
    commit = workspace.commit(plan.changes, message, plan.tip)
    aside = ""
    if then == "aside" and plan.turns:
        reason = f"Answered under “{info.subject}”, which was reverted."
        aside = exclude_after_revert(workspace, plan.ranges, reason, plan.memory.exclusions)
    return Reverted(commit, aside)


def exclude_after_revert(
    workspace: Workspace, ranges: Sequence[TurnRange], reason: str, facts: Sequence[Change] = ()
) -> str:
    """Commit that turns, and the facts from them, are excluded; returns the commit's id."""
    changes = [
        Change(aside_path(turns), render_aside(Aside((turns,), reason=reason))) for turns in ranges
    ]
    what = plural(sum(turns.last - turns.first + 1 for turns in ranges), "turn")
    if facts:
        what += f" and {plural(len(facts), 'fact')}"
    return workspace.commit([*changes, *facts], f"aside: {what}\n\n{reason}\n")
