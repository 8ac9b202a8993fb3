"""Revisions, dates and paths in a command's arguments."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.cli.render.progress import IndexProgress
from perdure.errors import Problem
from perdure.git.errors import UnknownRevision
from perdure.git.repository.repository import Repository

if TYPE_CHECKING:
    from datetime import datetime


def commit_of(repo: Repository, text: str, branch: str | None = None) -> str:
    """The id of the commit that a revision, date or turn names. Raises UnknownRevision."""
    try:
        # Most are revisions, and those need none of what dates and turns need.
        if not text.startswith("@"):
            return repo.resolve(text)
    except UnknownRevision:
        pass
    from perdure.companion.clock import now
    from perdure.snapshot.revisions.resolve import resolve_revision

    return resolve_revision(repo, text, branch, now(), IndexProgress())


def date_bounds(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Where a search starts and ends: the start of ``since``, the end of ``until``."""
    from perdure.companion.clock import now
    from perdure.snapshot.revisions.resolve import parse_span

    return (
        parse_span(since, now()).begin if since else None,
        parse_span(until, now()).end if until else None,
    )


def path_of(repo: Repository, word: str) -> str:
    """A path in the companion, given from its root or from the current folder.

    "" is the whole of it.
    """
    try:
        here = Path.cwd()
    except OSError:
        # It was deleted, and the companion is named.
        here = repo.path
    if here != repo.path and here.is_relative_to(repo.path) and (here / word).exists():
        absolute = here / word
    else:
        absolute = repo.path / word
    try:
        # Links are not followed.
        path = Path(os.path.normpath(absolute)).relative_to(repo.path).as_posix()
    except ValueError:
        return word.strip("/")
    return "" if path == "." else path


def is_path(repo: Repository, word: str) -> bool:
    """Whether a file or folder of that name exists here or in the last commit."""
    path = path_of(repo, word)
    if (repo.path / path).exists():
        return True
    committed = repo.head().commit is not None
    return committed and (repo.oid(path) is not None or repo.folder_oid(path) is not None)


def split_arguments(
    repo: Repository, words: Sequence[str], *, most: int, branch: str | None = None
) -> tuple[list[str], tuple[str, ...]]:
    """The leading arguments that name commits, as ids, and the rest as paths.

    A file's or folder's name is a path. ``A..B`` is two revisions. A word that names no commit is a
    path too, of a file that is gone by now, where it looks like one or a revision came before it.

    Raises:
        NoRevision: the first word names nothing.
    """
    revisions: list[str] = []
    rest = list(words)
    while rest and len(revisions) < most and not is_path(repo, rest[0]):
        first, dots, second = rest[0].partition("..")
        ends = [first or "HEAD", second or "HEAD"] if dots and not revisions else [rest[0]]
        try:
            found = [commit_of(repo, end, branch) for end in ends]
        except Problem:
            if revisions or "/" in rest[0] or rest[0].endswith((".md", ".yaml")):
                break
            raise
        revisions += found
        rest.pop(0)
    paths = tuple(path_of(repo, word) for word in rest)
    return revisions[:most], () if "" in paths else paths
