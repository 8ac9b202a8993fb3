"""Agreeing to backends that came from outside, while a talk is open.

Where the talk and the key would go, and who brought it, is shown before; what is agreed to is the
manifest as it was shown. It takes effect at the next turn, which reads the manifests anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from perdure.chat.companion_at import read_companion
from perdure.chat.confirming import Waiting, confirm, waiting
from perdure.git.repository.repository import Repository


def listed_first(repo: Repository) -> list[Waiting]:
    """All backends of the last commit that wait to be confirmed, those in use before the others.

    Raises:
        HistoryError, CompanionProblem: the companion cannot be read.
    """
    tip = repo.resolve("HEAD")
    order = {name: at for at, name in enumerate(read_companion(repo, tip).settings.backends)}
    found = waiting(repo, tip)
    return sorted(found, key=lambda each: (order.get(each.name, len(order)), each.name))


def in_use(repo: Repository) -> list[Waiting]:
    """Of these, the ones that companion.yaml lists: without them no reply comes from there."""
    tip = repo.resolve("HEAD")
    return waiting(repo, tip, read_companion(repo, tip).settings.backends)


def says(each: Waiting) -> list[str]:
    """What the user has to know beforehand, one sentence a line."""
    manifest = each.manifest
    key = f"the key {manifest.key}" if manifest.key else "no key"
    lines = [
        f"The backend {each.name} came from outside and is not used until you confirm it.",
        f"It speaks through: {manifest.driver}, {manifest.model}",
        f"The talk would go to: {each.leads_to}",
        f"With it would go: {key}",
        f"It was brought by: {each.brought_by}",
    ]
    if each.problem:
        lines.append(f"It could not be used even so: {each.problem}")
    return lines


def agree(repo: Repository, agreed: Sequence[Waiting]) -> None:
    """Confirm these as they were shown. Raises HistoryError; nothing more is confirmed then."""
    confirm(repo, agreed)
