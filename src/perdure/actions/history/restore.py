"""Restore: bring files back as they were at some time. Conversations are not restored this way.

Neither is what belongs to them, unless it is named: a summary is of a conversation that stays, and
one that is taken away would not be written again; what was set aside must not come back into
prompts; and what was proposed still waits for the user's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from perdure.actions.concerns import KINDS
from perdure.actions.errors import CannotRestore, NothingToRestore
from perdure.actions.workspace import Workspace
from perdure.git.objects.store import MOST_BYTES
from perdure.git.paths import check_path
from perdure.git.repository.repository import Change, CommitInfo, Repository
from perdure.snapshot.conversation.turn_text import commit_label

_TALK = {"conversations", "alternatives"}
_USUAL = {"persona", "lore", "memory"}
"""Folders that may be named without being there, then or now."""
_OF_TALK = {
    "memory/summaries": "summaries of conversations",
    "memory/aside": "what you set aside",
    "memory/review": "what waits for your review",
}
"""Folders that stay with the conversations unless they are named, and what is in them."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore will do, with the files as they will be."""

    commit: CommitInfo
    at: str
    changes: tuple[Change, ...]
    returns: tuple[str, ...]
    """Paths that are not there now."""
    tip: str
    """The commit that all this was thought out from."""
    kept: tuple[str, ...] = ()
    """Folders of `memory` that were otherwise then, and stay with the conversations."""

    @property
    def removed(self) -> tuple[str, ...]:
        """Files that did not exist then, and will go."""
        return tuple(change.path for change in self.changes if change.content is None)

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        lines = [f"From {commit_label(self.commit)}:"]
        for change in self.changes:
            what = "changes"
            if change.content is None:
                what = "removes (it did not exist then)"
            elif change.path in self.returns:
                what = "brings back"
            lines.append(f"  {what} {change.path}")
        if self.kept:
            named = ", ".join(f"{_OF_TALK[folder]} ({folder})" for folder in self.kept)
            lines.append(f"Stay as they are, since you did not name their folders: {named}.")
        lines.append("Conversations stay as they are, with all that was answered since then.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "commit": self.commit.id,
            "files": [change.path for change in self.changes],
            "removed": list(self.removed),
            "returns": list(self.returns),
            "kept": list(self.kept),
        }


def plan_restore(workspace: Workspace, paths: Sequence[str], commit: str, at: str) -> RestorePlan:
    """Plan to restore files.

    Args:
        workspace: the companion.
        paths: files and folders, from the companion's root.
        commit: id of the commit as of which they are wanted.
        at: what the user called it.

    Raises:
        CannotRestore: conversations, a path that is neither here nor there, or nothing to do.
        BadPath: one of the files has a name that may not be written to the disk.
    """
    repo, tip = workspace.repo, workspace.tip
    changes: dict[str, Change] = {}
    kept: set[str] = set()
    returns = []
    for path in paths:
        for name, then, current in _files(repo, path, commit, tip, at):
            belongs = next((folder for folder in _OF_TALK if name.startswith(f"{folder}/")), "")
            if then == current:
                continue
            if belongs and not f"{path}/".startswith(f"{belongs}/"):
                kept.add(belongs)
            else:
                check_path(name)
                content = repo.blob(then, most=MOST_BYTES) if then else None
                changes[name] = Change(name, content)
                if current is None:
                    returns.append(name)
    stay = tuple(folder for folder in _OF_TALK if folder in kept)
    if not changes:
        but = f" but for {', '.join(stay)}; name them to restore them" if stay else ""
        raise NothingToRestore(f"{', '.join(paths)}: the same now as in {at}{but}")
    ordered = tuple(changes[name] for name in sorted(changes))
    return RestorePlan(repo.commit_info(commit), at, ordered, tuple(sorted(returns)), tip, stay)


def _files(
    repo: Repository, path: str, commit: str, tip: str, at: str
) -> list[tuple[str, str | None, str | None]]:
    """Each file at or below a path, with its blob then and its blob at the tip."""
    if path.partition("/")[0] in _TALK:
        raise CannotRestore(
            f"{path} is part of a conversation, which cannot be restored file by file",
            next_step="to continue from then: perdure rewind; to correct words: perdure edit; to "
            "take back your last act: perdure undo",
        )
    then = {entry.path: entry.oid for entry in repo.files(path, commit)}
    current = {entry.path: entry.oid for entry in repo.files(path, tip)}
    if not then and not current and path not in _USUAL:
        raise CannotRestore(
            f"there is no {path or 'file'}, neither now nor in {at}",
            next_step=f"perdure log {path} shows when it existed",
        )
    names = sorted(then.keys() | current.keys())
    found = [(name, then.get(name), current.get(name)) for name in names]
    return [row for row in found if row[0].partition("/")[0] not in _TALK]


def restore(workspace: Workspace, plan: RestorePlan) -> list[str]:
    """Do what a plan says, one commit for each concern; returns their ids.

    Raises:
        CannotAct: a file has an edit that is in no commit.
        CompanionProblem: settings or a manifest as of then cannot be read by this version.
        HistoryError: nothing more was changed.
    """
    kinds = sorted(plan.changes, key=lambda change: (_kind(change.path), change.path))
    made = []
    for kind, group in groupby(kinds, key=lambda change: _kind(change.path)):
        changes = list(group)
        names = [change.path.partition("/")[2] or change.path for change in changes]
        shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        message = (
            f"{kind}: {shown} as of {plan.commit.at:%Y-%m-%d %H:%M}\n\n"
            f"Restored from commit {plan.commit.id}.\n"
        )
        made.append(workspace.commit(changes, message, plan.tip))
    return made


def _kind(path: str) -> str:
    if path.startswith("memory/aside/"):
        return "aside"
    return KINDS.get(path.partition("/")[0].removesuffix(".lock"), "companion")
