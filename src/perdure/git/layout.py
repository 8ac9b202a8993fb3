"""The folders of a repository, and the state that git left it in."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk, links, ownership
from perdure.git.errors import (
    DamagedRepository,
    HistoryError,
    NotARepository,
    UnsupportedRepository,
)

if TYPE_CHECKING:
    from perdure.git.locks import GitLock

_LARGEST = 64 * 1024
"""Bytes of a file with one path in it."""
_LARGEST_LIST = 16 * 1024 * 1024
_OID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of a repository.

    Attributes:
        work: root of the work tree.
        own: git folder of this work tree: HEAD, index, merge state. For a linked work tree it is
            ``worktrees/<name>`` of the common folder.
        git_dir: the common git folder: objects, refs, config, our state.
    """

    work: Path
    own: Path
    git_dir: Path

    @property
    def own_name(self) -> str:
        """`own`, relative to the common folder: stays true when the repository is moved."""
        return self.own.relative_to(self.git_dir).as_posix()

    @property
    def lies_with(self) -> Path | None:
        """Another folder whose ``.git`` the repository is, where this one only leads there.

        git takes that as it stands; a folder that one is given may lead to a repository of one's
        own in this way.
        """
        place = self.git_dir.resolve()
        is_main = self.own == self.git_dir and place.name == ".git"
        return place.parent if is_main and place.parent != self.work else None

    @property
    def state(self) -> Path:
        """The folder of state that must not be deleted: leases, journals, locks."""
        return self.git_dir / "perdure" / "state"

    @property
    def held(self) -> Path:
        """Twins of git's lock files."""
        return self.state / "held"

    @property
    def spare(self) -> Path:
        """Files on their way into the work tree."""
        return self.state / "spare"

    @property
    def conversion(self) -> Path:
        """Where it is noted that refs in tables are on their way into files."""
        return self.state / "converted-tables"

    def lock(self, target: Path, content: bytes = b"") -> GitLock:
        """A lock of git's, not taken yet, with what its target will hold on the disk."""
        from perdure.git.locks import GitLock

        lock = GitLock(self.git_dir, self.held, target)
        try:
            if content:
                lock.write(content)
        except BaseException:
            lock.release()
            raise
        return lock


def beside(layout: Layout, own: str) -> Layout | None:
    """Another work tree of the same repository, None where it is gone or does not lead back here.

    Args:
        layout: the one that is open.
        own: its git folder, relative to the common one; "." is the main one.
    """
    if own == layout.own_name:
        return layout
    folder = layout.git_dir if own == "." else layout.git_dir / own
    if own == ".":
        work = layout.git_dir.parent
        return Layout(work, folder, layout.git_dir) if work.is_dir() else None
    parent, _, name = own.rpartition("/")
    if parent != "worktrees" or name in {"", ".", ".."} or "\0" in name:
        return None
    try:
        dot_git = _resolved(folder / _line(folder / "gitdir"))
        leads_to = _resolved(dot_git.parent / _line(dot_git).removeprefix("gitdir: "))
        if leads_to != folder.resolve():
            return None
        ownership.check_owner(dot_git.parent, (dot_git.parent, dot_git, folder))
    except (OSError, HistoryError):
        return None
    return Layout(dot_git.parent, folder, layout.git_dir)


def find(path: Path) -> Layout:
    """The repository whose work tree has its root at ``path``.

    Its ``.git`` may be a link, or a file that names the git folder; inside that no link is allowed.

    Raises:
        NotARepository: there is none.
        UnsupportedRepository: a bare one, or one whose folders are not where git puts them.
        NotOwned: it belongs to another user.
        LinkInside: a link stands inside the git folder.
        DamagedRepository: git's folder is there without HEAD.
    """
    if not path.exists():
        raise NotARepository(f"{path} does not exist", next_step="check the name or the path")
    work = _resolved(path)
    dot_git = work / ".git"
    own = dot_git
    if dot_git.is_file():
        ownership.check_owner(work, (work, dot_git))
        text = _line(dot_git.resolve())
        if not text.startswith("gitdir: "):
            raise NotARepository(f"{dot_git} does not say where the repository is")
        own = _resolved(work / text.removeprefix("gitdir: "))
    if not own.is_dir():
        if looks_bare(work):
            raise UnsupportedRepository(
                f"{path} is a bare repository, without files to read and edit",
                next_step=f"make a companion of it: perdure adopt {shlex.quote(str(path))}",
            )
        raise NotARepository(f"{path} is not a git repository")
    ownership.check_owner(work, (work, dot_git, own.resolve()))
    git_dir = _common(own)
    if git_dir not in (own, own.parent.parent) or (
        git_dir != own and own.parent.name != "worktrees"
    ):
        raise UnsupportedRepository(
            f"{own} is no linked work tree of {git_dir}",
            "nothing was changed",
            "put its file commondir in order, or adopt the folder that has the history: perdure "
            "adopt FOLDER",
        )
    if not (git_dir / "objects").is_dir():
        raise NotARepository(f"{path} is not a git repository: {git_dir} has no objects")
    ownership.check_owner(work, (git_dir.resolve(),))
    links.check_links(git_dir, own)
    if not (own / "HEAD").is_file():
        raise DamagedRepository(
            f"{own / 'HEAD'} is missing",
            "commits and branches are not touched",
            f'write the line "ref: refs/heads/main" to {own / "HEAD"}',
        )
    return Layout(work, own, git_dir)


def looks_bare(folder: Path) -> bool:
    """Whether a folder is a bare repository, as git finds one: by its HEAD, objects and refs."""
    folders = (folder / "objects", folder / "refs")
    return (folder / "HEAD").is_file() and all(each.is_dir() for each in folders)


def _common(own: Path) -> Path:
    """The common git folder: ``own`` itself, or what the ``commondir`` of a linked one names."""
    try:
        return _resolved(own / _line(own / "commondir"))
    except (FileNotFoundError, disk.NotPlain):
        return own


def _line(path: Path) -> str:
    """What one of git's files with a path in it says. Paths are bytes, read as the system does."""
    try:
        return os.fsdecode(disk.read_file(path, most=_LARGEST)).strip()
    except disk.TooLong as error:
        raise NotARepository(f"{path} is too large to name a folder") from error


def _resolved(path: Path) -> Path:
    """A path without links.

    Raises:
        NotARepository: it is none, or leads in a circle.
    """
    try:
        found = path.resolve()
        # Too long for the system, for instance: reported here, and not by whoever looks at it next.
        found.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise NotARepository(
            f"{os.fsencode(path)[:200]!r} is no path that leads anywhere",
            "nothing was changed",
            "look at the file .git there, and at the file commondir that it leads to",
        ) from error
    return found


def shallow_ends(git_dir: Path) -> frozenset[str]:
    """The commits where a shallow clone ends; what came before is not here.

    Raises:
        DamagedRepository: the list of them is larger than any.
    """
    path = git_dir / "shallow"
    try:
        found = path.stat()
        return _shallow_ends(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return frozenset()
    except disk.TooLong as error:
        raise DamagedRepository(
            f"{path} is larger than {_LARGEST_LIST >> 20} MiB, more than perdure reads",
            "nothing was changed",
            "git fetch --unshallow brings what is missing there",
        ) from error


@lru_cache(maxsize=8)
def _shallow_ends(path: Path, *_mark: int) -> frozenset[str]:
    words = disk.read_file(path, most=_LARGEST_LIST).decode("ascii", "replace").split()
    return frozenset(word for word in words if _OID.fullmatch(word))


@dataclass(frozen=True, slots=True)
class WorkState:
    """What git has not finished in a work tree.

    Attributes:
        detached: HEAD names a commit and no branch.
        open_operation: name of the git operation that is not finished, "" without one.
        is_rewriting: git is replaying several commits, and may reset the branch at the end.
        branch: the one that is checked out, or that a rebase will come back to.
    """

    detached: bool
    open_operation: str
    is_rewriting: bool
    branch: str | None


def state_of_work(layout: Layout, branch: str | None, in_tables: Collection[str] = ()) -> WorkState:
    """Find out which git operations are in progress.

    Args:
        layout: the folders.
        branch: what HEAD names.
        in_tables: files of git's that it keeps as rows of a table here (`Refs.root_names`).
    """
    own = layout.own
    came_from = branch
    for folder in ("rebase-merge", "rebase-apply"):
        name = own / folder / "head-name"
        if name.is_file():
            text = name.read_text("utf-8", "replace").strip()
            came_from = text.removeprefix("refs/heads/") if text.startswith("refs/") else None
    applying = (own / "rebase-apply" / "applying").exists()
    folders = (own / "rebase-merge", own / "rebase-apply")
    rebasing = not applying and any(folder.exists() for folder in folders)
    # Of a cherry-pick or revert of several commits some are left.
    todo = _first_word(own / "sequencer" / "todo")

    def is_there(name: str) -> bool:
        return name in in_tables or (own / name).exists()

    names = {
        "merge": (own / "MERGE_HEAD").exists(),
        "rebase": rebasing,
        "am": applying,
        "revert": is_there("REVERT_HEAD") or todo == "revert",
        "cherry-pick": is_there("CHERRY_PICK_HEAD") or todo is not None,
        "bisect": (own / "BISECT_LOG").exists(),
    }
    first = next((name for name, is_open in names.items() if is_open), "")
    return WorkState(branch is None, first, rebasing or applying or todo is not None, came_from)


def rewritten_branch(layout: Layout, branch: str | None) -> str | None:
    """The branch that git is rewriting in a work tree; None where it is not.

    ``branch`` is what HEAD names. Asked for each turn, so the usual answer takes three looks.
    """
    own = layout.own
    places = (own / "rebase-merge", own / "rebase-apply", own / "sequencer" / "todo")
    if not any(place.exists() for place in places):
        return None
    return state_of_work(layout, branch).branch


def _first_word(path: Path) -> str | None:
    try:
        return (path.read_text("utf-8", "replace").split(None, 1) or [""])[0]
    except OSError:
        return None


def intent_file(layout: Layout) -> Path:
    """Where the plan is written down while it is carried out."""
    return layout.state / "operation.json"
