"""Creates a repository beside its final place, and moves it there when complete."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from perdure.git import disk, layout
from perdure.git.config import repository as config
from perdure.git.errors import NotARepository, UnknownRevision, storage_errors
from perdure.git.objects.commit import Author
from perdure.git.objects.tree import Change
from perdure.git.paths import check_path
from perdure.git.refs.refs import check_branch, packed_content
from perdure.git.repository.repository import Repository
from perdure.git.worktree.checkout import Checkout

_FOLDERS = ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "perdure/state")


def create_repository(
    path: Path | str,
    files: Mapping[str, bytes],
    *,
    message: str,
    author: Author,
    branch: str = "main",
) -> Repository:
    """Create a repository with a first commit; it appears complete or not at all.

    Args:
        path: must not exist, or be an empty folder.
        files: content of the first commit by path.
        message: its message.
        author: who it is from.
        branch: name of the branch.

    Raises:
        NotARepository: something is at that place already.
        BadPath: a file or the branch cannot have that name.
        StorageFull: no space for it.
        ReadOnly: the place may not be written.
    """
    check_branch(branch)
    for file in files:
        check_path(file)
    with fresh_repository(path) as fresh:
        fresh.name_branch(branch)
        fresh.repo.commit(
            [Change(file, content) for file, content in files.items()],
            message=message,
            author=author,
            branch=branch,
        )
    return Repository.open(path)


class FreshRepository:
    """A repository without a commit, beside its final place, for the caller to fill.

    Objects go into `packs`, or are committed by `repo`; then come `put_refs` and `check_out`.

    Attributes:
        repo: the repository, open.
        packs: the folder for its packs.
    """

    def __init__(self, repo: Repository) -> None:
        self.repo = repo
        self.packs = repo.git_dir / "objects" / "pack"

    def put_refs(self, refs: Mapping[str, str]) -> None:
        """Write all refs, by full name, in place of those that were there.

        Raises:
            BadPath: git would not take a name, or two of them exclude one another.
            HistoryError: there are more than perdure reads.
        """
        disk.replace_file(self.repo.git_dir / "packed-refs", packed_content(refs), synced=True)

    def name_branch(self, branch: str) -> None:
        """Let HEAD name a branch, which need not exist. Raises BadPath."""
        head = f"ref: {check_branch(branch)}\n".encode()
        disk.replace_file(self.repo.git_dir / "HEAD", head, synced=True)

    def check_out(self, branch: str) -> list[tuple[str, str]]:
        """Let HEAD name a branch, and write its files and git's index.

        Links and submodules are never written, nor what no file may be called.

        Returns:
            The paths that were left out, each with the reason.

        Raises:
            UnknownRevision: there is no such branch.
            DamagedRepository: an object is missing or broken.
            TooManyFiles, TooLargeObject: the files are more than perdure writes.
        """
        git = self.repo.parts()
        tip = git.refs.read(check_branch(branch))
        if tip is None:
            raise UnknownRevision(f"there is no branch {branch}", "nothing was checked out")
        self.name_branch(branch)
        return Checkout(git).fill(git.trees.root(tip))


@contextmanager
def fresh_repository(path: Path | str) -> Iterator[FreshRepository]:
    """Make a repository: the caller fills it in the block, and at its end it moves into place.

    It lies beside its place until then. After an error nothing of it is left; what a killed process
    left is removed when the next repository is made at that place.

    Args:
        path: must not exist, or be an empty folder.

    Raises:
        NotARepository: something is at that place already.
        StorageFull, ReadOnly, WriteFailed: it cannot be written.
    """
    place = Path(path).absolute()
    with storage_errors(f"making {path}"):
        _check_free(place, str(path))
        disk.make_folder(place.parent)
        _remove_abandoned(place)
        with _folder_beside(place) as root:
            _lay_out(root)
            with Repository(layout.find(root)) as repo:
                # Before anything is kept there: what lies in a folder without a mark is set aside.
                repo.state.own()
                yield FreshRepository(repo)
            _sync_folders(root)
            root.rename(place)
        disk.sync_folder(place.parent)


def _check_free(place: Path, shown: str) -> None:
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise NotARepository(f"{shown} is a file", "it stays as it is", "choose another name")
    if place.exists() and any(place.iterdir()):
        raise NotARepository(
            f"{shown} exists and is not empty",
            "it stays as it is",
            "choose another name or place",
        )


@contextmanager
def _folder_beside(place: Path) -> Iterator[Path]:
    """A new folder beside a place, locked; it is removed again after an error."""
    while True:
        folder = place.with_name(f".{place.name}.new-{secrets.token_hex(4)}")
        folder.mkdir(mode=disk.FOLDER_MODE)
        fd = _locked(folder)
        if fd is not None:
            break
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(fd)


def _locked(folder: Path) -> int | None:
    """A folder's descriptor with a lock that the kernel frees; None where another process has it.

    Where the file system has no locks for folders (NFS), the descriptor alone.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_there = os.fstat(fd).st_ino == folder.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        is_there = False
    except OSError:
        is_there = True
    if is_there:
        return fd
    os.close(fd)
    return None


def _remove_abandoned(place: Path) -> None:
    """Remove what killed processes left beside a place."""
    start = f".{place.name}.new-"
    for folder in [each for each in place.parent.iterdir() if each.name.startswith(start)]:
        fd = _locked(folder)
        if fd is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(fd)


def _lay_out(root: Path) -> None:
    """What `git init` makes, without hooks and with our configuration."""
    git_dir = root / ".git"
    for folder in _FOLDERS:
        disk.make_folder(git_dir / folder)
    disk.write_file(git_dir / "config", config.rendered().encode())
    disk.write_file(git_dir / "HEAD", b"ref: refs/heads/main\n")


def _sync_folders(root: Path) -> None:
    """Flush every new folder to disk; the commit only synced those that it needed."""
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        disk.sync_folder(folder)
    disk.sync_folder(root)
