"""What the shell completes: the companion's branches, tags, files, backends and lore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from perdure.cli.target import find_companion

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def _completer(words_of: Callable[[Repository], Iterator[str]]) -> Completer:
    def complete(
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG001 - click's signature
        incomplete: str,
    ) -> list[str]:
        from perdure.errors import Problem
        from perdure.git.repository.repository import Repository

        named = ctx.meta.get("perdure.cli.target") or ctx.find_root().params.get("companion")
        try:
            with Repository.open(find_companion(named).path, recover=False) as repo:
                return sorted({word for word in words_of(repo) if word.startswith(incomplete)})
        except (Problem, OSError):
            # A shell shows what a completion prints: nothing is the best it can do.
            return []

    return complete


def _branches(repo: Repository) -> Iterator[str]:
    from perdure.git.operations.branches import branches

    return (each.name for each in branches(repo))


def _files(repo: Repository) -> Iterator[str]:
    from perdure.companion.config.upgrades import SETTINGS

    for folder in ("persona", "lore", "memory", "backends", "probes"):
        yield from (entry.path for entry in repo.files(folder))
    yield SETTINGS


def _stems(folder: str, ending: str) -> Callable[[Repository], Iterator[str]]:
    return lambda repo: (
        name.removesuffix(ending)
        for name, is_folder in repo.names(folder)
        if not is_folder and name.endswith(ending)
    )


complete_branches = _completer(_branches)
complete_tags = _completer(lambda repo: iter(repo.tags()))
complete_files = _completer(_files)
complete_persona = _completer(
    lambda repo: (entry.path.removeprefix("persona/") for entry in repo.files("persona"))
)
complete_backends = _completer(_stems("backends", ".yaml"))
complete_lore = _completer(_stems("lore", ".md"))
