"""Edits made beside the program, in an editor: found before a turn, committed apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from perdure.chat.companion_at import SETTINGS
from perdure.chat.confirming import confirm, made_here
from perdure.companion.errors import CompanionProblem
from perdure.companion.manifests import parse_manifest
from perdure.companion.persona import read_persona
from perdure.companion.persona_check import CONFLICT, hide
from perdure.companion.settings import parse_settings
from perdure.history.errors import HistoryError, TipMoved
from perdure.history.repository import Author, Change, Repository

# One commit, one concern: the folder decides which, and so the kind that opens the subject.
_KINDS = {
    "persona": "persona",
    "lore": "lore",
    "memory": "memory",
    "backends": "backend",
    "probes": "probe",
    "assets": "companion",
    SETTINGS: "companion",
    "README.md": "companion",
    "RESTORE.md": "companion",
    ".gitattributes": "companion",
    ".gitignore": "companion",
}

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class OutsideCommits:
    """What was committed (one sentence each) and what was left alone, with the reason."""

    committed: tuple[str, ...]
    held: tuple[str, ...]


def commit_outside_edits(
    repo: Repository, branch: str, author: Author, below: Sequence[str] = tuple(_KINDS)
) -> OutsideCommits:
    """Commit edited files of the work tree, one commit a concern, by the human's hand.

    ``below`` names the files and folders of a companion that are looked at. A file that does not
    parse stays uncommitted and is named: the turn uses HEAD's version. So does one that others keep
    committing to at the same time.
    """
    committed: list[str] = []
    for _ in range(_ATTEMPTS):
        try:
            return _commit_found(repo, branch, author, below, committed)
        except TipMoved as moved:
            trouble = str(moved)
    return OutsideCommits(tuple(committed), (trouble,))


def _commit_found(
    repo: Repository, branch: str, author: Author, below: Sequence[str], committed: list[str]
) -> OutsideCommits:
    """One look. Raises TipMoved where a file was committed meanwhile: what was read is old then."""
    seen = repo.head().commit
    edits = repo.outside_edits(below)
    held = [f"{path}: {reason}" for path, reason in edits.held]
    ready = []
    for change in edits.ready:
        trouble = _trouble(change) or _unfit(change, repo.read(change.path, seen))
        if trouble:
            held.append(trouble)
        else:
            ready.append(change)
    ours = made_here(repo, ready)
    by_kind = sorted(ready, key=lambda change: (_kind(change.path), change.path))
    for kind, group in groupby(by_kind, key=lambda change: _kind(change.path)):
        changes = list(group)
        message = f"{kind}: {_summary(changes)}\n"
        expect = {change.path: repo.oid(change.path, seen) for change in changes}
        repo.commit(changes, message=message, author=author, branch=branch, expect=expect)
        committed.append(f"Your edit of {_summary(changes)} was committed on its own.")
    if ours:
        # What cannot be remembered is asked about, no more.
        with suppress(HistoryError):
            confirm(repo, ours)
    return OutsideCommits(tuple(committed), tuple(held))


def _kind(path: str) -> str:
    return _KINDS[path.partition("/")[0]]


def _trouble(change: Change) -> str:
    """Why a changed file must not be committed yet; empty where it reads well."""
    if change.content is None:
        return f"{SETTINGS} is gone from the folder." if change.path == SETTINGS else ""
    try:
        if change.path == SETTINGS:
            parse_settings(change.content)
        elif change.path.startswith("backends/") and change.path.endswith(".yaml"):
            parse_manifest(change.content, change.path)
        elif change.path.endswith((".md", ".yaml")):
            change.content.decode("utf-8")
            read_persona({change.path: change.content})  # passes over what is no part of it
    except CompanionProblem as problem:
        return str(problem)
    except UnicodeDecodeError as problem:
        line = change.content.count(b"\n", 0, problem.start) + 1
        return f"{change.path}, line {line}: not UTF-8 text."
    return ""


def _unfit(change: Change, before: bytes | None) -> str:
    """Why git must not keep what an edit brings: marks of a merge, a key. Empty where it may.

    What the last commit has already is nothing new, and no reason to hold back what comes with it.
    """
    if change.content is None or not change.path.endswith((".md", ".yaml")):
        return ""
    text, old = change.content.decode(), (before or b"").decode("utf-8", "replace")
    mark = CONFLICT.search(text)
    if mark and not CONFLICT.search(old):
        line = text.count("\n", 0, mark.start()) + 1
        return f"{change.path}:{line}: a mark of a merge conflict"
    if hide(text)[1] > hide(old)[1]:
        known = set(old.split("\n"))
        lines = enumerate(text.split("\n"), 1)
        number = next((n for n, line in lines if line not in known and hide(line)[1]), 1)
        return f"{change.path}:{number}: it looks like a key or a password, which git would keep"
    return ""


def _summary(changes: Sequence[Change]) -> str:
    names = [change.path.partition("/")[2] or change.path for change in changes]
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return ", ".join(names)
