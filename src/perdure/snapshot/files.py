"""Read a companion's files within limits: a folder may come from a stranger.

Sizes are asked from the objects' headers before anything is unpacked, and names are counted before
anything is read. The numbers are in docs/format.md, "Limits".
"""

from __future__ import annotations

from collections.abc import Callable

from perdure.companion.errors import BadFile
from perdure.companion.yaml.strict import SIZE_LIMIT
from perdure.git.errors import TooManyFiles
from perdure.git.repository.repository import Entry, Repository

MOST_FILES = {
    "persona": 500,
    "lore": 5_000,
    "memory/facts": 2_000,
    "backends": 500,
}
"""Files below each folder, read or not."""
MOST_TOGETHER = 32 * 1024 * 1024
"""Bytes of all files below one of these folders."""
TOO_LARGE = bytes(SIZE_LIMIT + 1)
"""Stands for the content of a file above 1 MiB: whoever reads it refuses it by its size."""


def files_below(
    repo: Repository, folder: str, rev: str | None, *, wanted: Callable[[str], bool] | None = None
) -> dict[str, bytes]:
    """Read the files below one of the folders of `MOST_FILES`, by path.

    A file above 1 MiB is there as `TOO_LARGE`.

    Args:
        repo: the repository.
        folder: which.
        rev: the commit; None: HEAD.
        wanted: which paths are read; all without one.

    Raises:
        BadFile: there are too many, or they are too large together.
    """
    entries = entries_below(repo, folder, rev)
    entries = [entry for entry in entries if wanted is None or wanted(entry.path)]
    sizes = {entry.oid: repo.size(entry.oid) for entry in entries}
    if sum(min(sizes[entry.oid], SIZE_LIMIT) for entry in entries) > MOST_TOGETHER:
        most = MOST_TOGETHER >> 20
        raise _bad(folder, f"more than {most} MiB together, the most that is read")
    return {
        entry.path: repo.blob(entry.oid) if sizes[entry.oid] <= SIZE_LIMIT else TOO_LARGE
        for entry in entries
    }


def entries_below(repo: Repository, folder: str, rev: str | None) -> list[Entry]:
    """List the files below one of these folders, by path, without reading them. Raises BadFile."""
    most = MOST_FILES[folder]
    try:
        return repo.files(folder, rev, most=most)
    except TooManyFiles as error:
        raise too_many_files(folder) from error


def check_counts(repo: Repository, rev: str) -> None:
    """Refuse a companion with too many files for a prompt, before any of them is read.

    Raises:
        BadFile: one of these folders has too many files.
    """
    for folder in MOST_FILES:
        entries_below(repo, folder, rev)


def too_many_files(folder: str) -> BadFile:
    """The error for a folder with too many files."""
    return _bad(folder, f"more than {MOST_FILES[folder]:,} files, the most that is read")


def _bad(folder: str, problem: str) -> BadFile:
    return BadFile(
        f"{folder}/",
        0,
        problem,
        "nothing was changed",
        "remove those that do not belong there (git rm), or take back what brought them: perdure "
        f"log {folder}",
    )


def read_small(repo: Repository, oid: str) -> bytes:
    """Read a file of at most 1 MiB by its blob; `TOO_LARGE` in place of a larger one."""
    return repo.small(oid, SIZE_LIMIT, TOO_LARGE)


def read_small_at(repo: Repository, path: str, rev: str | None = None) -> bytes | None:
    """Read a file of at most 1 MiB by its path; None without one."""
    oid = repo.oid(path, rev)
    return read_small(repo, oid) if oid else None
