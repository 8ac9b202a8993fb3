"""Move the whole folder to the trash, once a copy is proven or the name was typed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from perdure.actions.companion.archive import proven_copy
from perdure.actions.errors import CannotAct, NotProven
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.companion.names import numbered
from perdure.git.bundle import shared_refs
from perdure.git.disk import KernelLock
from perdure.git.errors import storage_errors
from perdure.snapshot.revisions.ahead import NOTHING_AHEAD, Ahead, ahead


@dataclass(frozen=True, slots=True)
class RemovePlan:
    """What removing will do.

    Attributes:
        name: what the companion is called.
        path: her folder.
        trash: where it goes.
        copy: a proven copy of everything, None without one.
        ahead: what the current branch has.
        edits: files with edits that are in no commit; they go to the trash with the folder.
    """

    name: str
    path: Path
    trash: Path
    copy: Path | None
    ahead: Ahead
    edits: int

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        lines = [f"Moves {self.path} to {self.trash}: {self.ahead}."]
        if self.edits:
            lines.append(f"{self.edits} file(s) with uncommitted edits go with it.")
        if self.copy is not None:
            lines.append(f"A copy of everything is in {self.copy}; it was read and compared.")
        else:
            lines.append("There is no known copy of everything. perdure archive makes one.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "name": self.name,
            "path": str(self.path),
            "trash": str(self.trash),
            "copy": str(self.copy) if self.copy else None,
            "left": self.ahead.to_dict(),
            "edits": self.edits,
        }


def plan_remove(workspace: Workspace, home: Path) -> RemovePlan:
    """Plan to remove a companion.

    Args:
        workspace: the companion.
        home: the folder of companions; its ``.trash`` is used where the platform's cannot be.

    Raises:
        CannotAct: no trash is on the same disk, or another work tree belongs to her.
    """
    repo = workspace.repo
    if (repo.path / ".git").is_file() or any((repo.git_dir / "worktrees").glob("*")):
        raise CannotAct(
            "this companion has more than one work tree",
            next_step="git worktree list, and git worktree remove the others",
        )
    tips = [oid for name, oid in shared_refs(repo).items() if name.startswith("refs/heads/")]
    has = ahead(repo, tips[0], [], most=100_000) if len(tips) == 1 else _all_of(workspace, tips)
    edits = len(repo.diff(None, None)) if repo.head().commit else 0
    return RemovePlan(
        workspace.settings.name, repo.path, _place(repo.path, home), proven_copy(repo), has, edits
    )


def _all_of(workspace: Workspace, tips: list[str]) -> Ahead:
    found = (ahead(workspace.repo, tip, tips[:at], most=100_000) for at, tip in enumerate(tips))
    return sum(found, NOTHING_AHEAD)


def check_agreed(plan: RemovePlan, typed: str) -> None:
    """Raise NotProven if there is no proven copy and the name was not typed."""
    if plan.copy is None and typed != plan.name:
        raise NotProven(
            f"no copy of everything is proven, and {plan.name!r} was not typed",
            next_step="make a copy with: perdure archive; or remove her anyway with: perdure "
            f"remove {plan.path.name} --typed {plan.name!r}",
        )


def remove(workspace: Workspace, plan: RemovePlan) -> Path:
    """Do what a plan says; returns the place in the trash.

    Raises:
        CannotAct: a chat is open.
        StorageFull, ReadOnly, WriteFailed: nothing was changed.
    """
    repo = workspace.repo
    if _in_use(repo.state_dir):
        raise CannotAct(f"a chat with {plan.name} is open", next_step="close it, and repeat")
    repo.close()
    with storage_errors("moving the folder to the trash"):
        plan.trash.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_info(plan)
        plan.path.rename(plan.trash)
    return plan.trash


def _in_use(state: Path) -> bool:
    """Whether another process has this companion's journal, or a conversation of hers, open."""
    for path in [*(state / "journals").glob("*.journal"), *(state / "leases").glob("*")]:
        lock = KernelLock(path)
        try:
            if not lock.try_take():
                return True
        except IsADirectoryError:
            continue
        lock.release()
    return False


# The trash


def _place(path: Path, home: Path) -> Path:
    """Find a free place in a trash on the same disk: a rename is enough, no copy."""
    device = path.stat().st_dev
    name = f"{path.name}-{now():%Y%m%d-%H%M%S}"
    for folder in (*_platform_trash(), home / ".trash"):
        near = next(each for each in (folder, *folder.parents) if each.exists())
        if near.stat().st_dev == device and os.access(near, os.W_OK):
            return _free(folder, name)
    raise CannotAct(
        f"there is no trash on the disk of {path}", next_step="move the folder away yourself"
    )


def _free(folder: Path, name: str) -> Path:
    """The path ``name`` in the trash, or the name with the first number that is free."""
    places = map(folder.joinpath, numbered(name))
    return next(place for place in places if not (place.exists() or _info(place).exists()))


def _info(place: Path) -> Path:
    return place.parent.parent / "info" / f"{place.name}.trashinfo"


def _platform_trash() -> list[Path]:
    """The user's trash: freedesktop.org's specification 1.0, or macOS's."""
    if sys.platform == "darwin":
        return [Path.home() / ".Trash"]
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return [Path(data) / "Trash" / "files"]


def _write_info(plan: RemovePlan) -> None:
    """Write what file managers need to put the folder back."""
    if plan.trash.parent.name != "files":
        return
    info = _info(plan.trash)
    info.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = f"[Trash Info]\nPath={quote(str(plan.path))}\nDeletionDate={now():%Y-%m-%dT%H:%M:%S}\n"
    with info.open("x", encoding="utf-8") as file:
        file.write(text)
