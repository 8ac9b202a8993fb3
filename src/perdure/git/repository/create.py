"""Creates a repository beside its final place, and moves it there when complete."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from perdure.git import disk, layout
from perdure.git.config import repository as config
from perdure.git.errors import NotARepository, storage_errors
from perdure.git.objects.commit import Author
from perdure.git.objects.tree import Change
from perdure.git.paths import check_path
from perdure.git.refs.refs import check_branch
from perdure.git.repository.repository import Repository

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
    target = Path(path)
    check_branch(branch)
    for file in files:
        check_path(file)
    with storage_errors(f"making {target}"):
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise NotARepository(f"{target} is a file", "it stays as it is", "choose another name")
        if target.exists() and any(target.iterdir()):
            raise NotARepository(
                f"{target} exists and is not empty",
                "it stays as it is",
                "choose another name or place",
            )
        disk.make_folder(target.absolute().parent)
        place = target.absolute()
        fresh = place.with_name(f".{place.name}.new-{secrets.token_hex(4)}")
        try:
            _lay_out(fresh, branch)
            with Repository(layout.find(fresh)) as repo:
                repo.commit(
                    [Change(file, content) for file, content in files.items()],
                    message=message,
                    author=author,
                    branch=branch,
                )
            _sync_folders(fresh)
            fresh.rename(place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        disk.sync_folder(place.parent)
    return Repository.open(target)


def _lay_out(root: Path, branch: str) -> None:
    """What `git init` makes, without hooks and with our configuration."""
    git_dir = root / ".git"
    for folder in _FOLDERS:
        disk.make_folder(git_dir / folder)
    disk.write_file(git_dir / "config", config.rendered().encode())
    disk.write_file(git_dir / "HEAD", f"ref: refs/heads/{branch}\n".encode())


def _sync_folders(root: Path) -> None:
    """Flush every new folder to disk; the commit only synced those that it needed."""
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        disk.sync_folder(folder)
    disk.sync_folder(root)
