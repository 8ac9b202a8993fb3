"""Check a companion's persona: gather its files, and count what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.persona.check import PersonaReport, check_persona
from perdure.companion.persona.check_tokens import Window
from perdure.companion.persona.findings import Finding
from perdure.git.repository.repository import Repository
from perdure.snapshot.persona import (
    PersonaFiles,
    files_at,
    files_in_folder,
    tokenizer_of,
    windows_of,
)


@dataclass(frozen=True, slots=True)
class PersonaCheck:
    """The result of a check.

    Attributes:
        report: findings and sizes.
        windows: the backends that it was measured against, in failover order.
        counted_by: what counted the tokens.
        exact: whether that is the smallest backend's own count.
    """

    report: PersonaReport
    windows: tuple[Window, ...]
    counted_by: str
    exact: bool


def check_companion(path: Path, commit: str | None = None) -> PersonaCheck:
    """Check the persona in the folder, or that of a commit.

    Raises NotACompanion, CompanionProblem, HistoryError.
    """
    from perdure.prompt.budgets import budgets

    with Repository.open(path, recover=False) as repo:
        files = files_at(repo, commit) if commit else files_in_folder(repo)
        windows = windows_of(repo, files, commit)
    tokenizer = tokenizer_of(files, windows)
    smallest = min(windows, key=lambda each: (each.room, each.backend), default=None)
    shares = budgets(smallest.tokens if smallest else 0, files.settings.context)
    report = check_persona(
        files.persona,
        name=files.settings.name,
        user=files.settings.user,
        count=tokenizer.count,
        windows=windows,
        examples_budget=shares.examples,
        beside=files.beside,
        more=_unread(files),
    )
    return PersonaCheck(report, tuple(windows), tokenizer.name, tokenizer.exact)


def _unread(files: PersonaFiles) -> list[Finding]:
    found = [
        Finding("advice", "not-read", path, 0, f"not read: {why}", fix)
        for path, why, fix in files.unread
    ]
    found += [
        Finding(
            "problem",
            "unreadable",
            each.file,
            each.line,
            each.problem,
            each.next_step or "correct it; until then the committed version counts",
        )
        for each in files.troubles
    ]
    found += [
        Finding("advice", "unknown-key", SETTINGS, each.line, each.what, "correct it")
        for each in files.settings.troubles
    ]
    return found
