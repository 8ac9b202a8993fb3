"""Where things are in a repository, and what state git left it in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from perdure.history.errors import DamagedRepository, NotARepository, UnsupportedRepository


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
    def state(self) -> Path:
        """What must not be deleted: leases, journals, locks."""
        return self.git_dir / "perdure" / "state"

    @property
    def held(self) -> Path:
        """Twins of git's lock files."""
        return self.state / "held"

    @property
    def spare(self) -> Path:
        """Files on their way into the work tree."""
        return self.state / "spare"


def beside(layout: Layout, own: str) -> Layout | None:
    """Another work tree of the same repository, None where it is gone.

    Args:
        layout: the one that is open.
        own: its git folder, relative to the common one; "." is the main one.
    """
    folder = layout.git_dir if own == "." else layout.git_dir / own
    if folder == layout.own:
        return layout
    try:
        if own == ".":
            work = layout.git_dir.parent
        else:
            work = Path((folder / "gitdir").read_text("utf-8").strip()).parent
    except OSError:
        return None
    return Layout(work, folder, layout.git_dir) if work.is_dir() else None


def find(path: Path) -> Layout:
    """The repository whose work tree has its root at ``path``.

    Raises:
        NotARepository: there is none.
        UnsupportedRepository: a bare one.
        DamagedRepository: git's folder is there without HEAD.
    """
    if not path.exists():
        raise NotARepository(f"{path} does not exist", next_step="check the name or the path")
    work = path.resolve()
    dot_git = work / ".git"
    own = dot_git
    if dot_git.is_file():
        text = dot_git.read_text("utf-8", "replace").strip()
        if not text.startswith("gitdir: "):
            raise NotARepository(f"{dot_git} does not say where the repository is")
        own = (work / text.removeprefix("gitdir: ")).resolve()
    if not own.is_dir():
        if (work / "objects").is_dir() and (work / "refs").is_dir() and (work / "HEAD").is_file():
            raise UnsupportedRepository(
                f"{path} is a bare repository, without files to read and edit",
                next_step="clone it and open the clone",
            )
        raise NotARepository(f"{path} is not a git repository")
    git_dir = own
    common = own / "commondir"
    if common.is_file():
        git_dir = (own / common.read_text("utf-8").strip()).resolve()
    if not (git_dir / "objects").is_dir():
        raise NotARepository(f"{path} is not a git repository: {git_dir} has no objects")
    if not (own / "HEAD").is_file():
        raise DamagedRepository(
            f"{own / 'HEAD'} is missing",
            "commits and branches are not touched",
            f'write the line "ref: refs/heads/main" to {own / "HEAD"}',
        )
    return Layout(work, own, git_dir)


@dataclass(frozen=True, slots=True)
class WorkState:
    """What is going on in a work tree. ``branch`` is the one that a rebase will come back to."""

    detached: bool = False
    merging: bool = False
    rebasing: bool = False
    cherry_picking: bool = False
    reverting: bool = False
    bisecting: bool = False
    branch: str | None = None

    @property
    def open_operation(self) -> str:
        """Name of the git operation that is not finished, "" without one."""
        names = {
            "merge": self.merging,
            "rebase": self.rebasing,
            "cherry-pick": self.cherry_picking,
            "revert": self.reverting,
            "bisect": self.bisecting,
        }
        return next((name for name, is_open in names.items() if is_open), "")


def state_of_work(layout: Layout, branch: str | None) -> WorkState:
    """Read git's own marks of operations under way. ``branch`` is what HEAD names."""
    own = layout.own
    came_from = branch
    for folder in ("rebase-merge", "rebase-apply"):
        name = own / folder / "head-name"
        if name.is_file():
            came_from = name.read_text("utf-8", "replace").strip().removeprefix("refs/heads/")
    return WorkState(
        detached=branch is None,
        merging=(own / "MERGE_HEAD").exists(),
        rebasing=(own / "rebase-merge").exists() or (own / "rebase-apply").exists(),
        cherry_picking=(own / "CHERRY_PICK_HEAD").exists(),
        reverting=(own / "REVERT_HEAD").exists(),
        bisecting=(own / "BISECT_LOG").exists(),
        branch=came_from,
    )
