"""Warn once of git settings and hooks in a companion's folder that make git run programs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from perdure.git import disk
from perdure.git.repository.repository import Repository
from perdure.notice import Notice

_MOST = 6
_IN_TABLES = (
    "This clone keeps its branches in a table, in Git 3's way. perdure turns the table into files "
    "with the first message or change; every git reads those."
)


def git_warnings(repo: Repository) -> list[Notice]:
    """Notices for what was not yet reported in this folder, or has changed since.

    Raises:
        UnsupportedRepository: nothing could be saved: see `conversion_notice`.
    """
    return conversion_notice(repo) + _led_elsewhere(repo) + _running(repo)


def conversion_notice(repo: Repository) -> list[Notice]:
    """What the first change does where git keeps the refs in tables.

    Raises:
        UnsupportedRepository: there are linked work trees, and nothing can be changed.
    """
    return [Notice(_IN_TABLES)] if repo.keeps_refs_in_tables() else []


def _led_elsewhere(repo: Repository) -> list[Notice]:
    """The warning that conversations here are written to another folder's repository."""
    place = repo.lies_with
    if place is None or repo.state.is_told(f"leads from {repo.path} to {place}"):
        return []
    return [
        Notice(
            f"The file .git in {repo.path} leads to the repository of {place}: what is said or "
            "edited here goes into that one. If you did not set this up, leave this folder alone.",
            "warning",
        )
    ]


def _running(repo: Repository) -> list[Notice]:
    """Settings that make git run programs. perdure itself ignores them."""
    told: dict[Path, list[str]] = {}
    for path, key, value in repo.odd_config():
        if not repo.state.is_told(f"setting {path.name} {key} {value}"):
            told.setdefault(path, []).append(key)
    folder = repo.git_dir / "hooks"
    for name, content in _hooks(folder):
        if not repo.state.is_told(f"hook {name} {content!r}"):
            told.setdefault(folder, []).append(name)
    if not told:
        return []
    here = shlex.quote(str(repo.path))
    named = "; ".join(f"{path}: {_some(names)}" for path, names in told.items())
    return [
        Notice(
            "git in this folder is set up to run programs or to read other files, or in ways not "
            f"known here ({named}). perdure ignores all of it, but the git command does not. If "
            "you did not set this up, do not use git here: go on in a companion made from this "
            f"folder, which has none of it: perdure adopt {here} NAME",
            "warning",
        )
    ]


def _some(names: list[str]) -> str:
    different = list(dict.fromkeys(names))
    more = len(different) - _MOST
    return ", ".join(different[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _hooks(folder: Path) -> list[tuple[str, bytes]]:
    """Hooks that git would run, which are executable and have no ending, with their contents."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in entries if os.access(each.path, os.X_OK))
    except OSError:
        return []
    return [(name, _content(folder / name)) for name in names if not name.endswith(".sample")]


def _content(hook: Path) -> bytes:
    try:
        return disk.read_file(hook)
    except OSError:
        # A link: where it leads is what it says.
        return os.fsencode(os.path.realpath(hook))
