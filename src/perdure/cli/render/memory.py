"""Facts as lines, for several commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.cli.options import given
from perdure.cli.render.output import as_json, print_line, print_styled, styled

if TYPE_CHECKING:
    from perdure.actions.memory.facts import MemoryPlan
    from perdure.git.repository.repository import Repository
    from perdure.snapshot.facts import FactRow


def show_beside(like: Sequence[FactRow], against: Sequence[FactRow]) -> None:
    """Facts that are near-duplicates or contradictions; each once."""
    for row in against:
        _show_row("  but ", row, "red")
    for row in like:
        if row not in against:
            _show_row("  like", row, "cyan")


def _show_row(word: str, row: FactRow, colour: str) -> None:
    where = " ".join(part for part in (row.day, row.fact.trust) if part)
    print_styled(
        styled(word, colour),
        styled(f" {row.name}", "yellow"),
        styled(f"  {row.fact.text}"),
        styled(f"  {where}", dim=True),
    )


def print_uncommitted(repo: Repository) -> None:
    """Say which memory files have edits by hand that are not committed yet."""
    for change in repo.diff(None, None, ["memory"]):
        print_line(f"{change.path} has uncommitted edits; the last commit counts.", err=True)


def print_done(plan: MemoryPlan, commit: str | None) -> None:
    """What a plan did, or would do without a commit, below the facts that it is close to."""
    if not given("--json"):
        show_beside(plan.like, plan.against)
    if plan.masked:
        print_line("Something that looked like a key was removed; the rest is kept.", err=True)
    if as_json({"plan": plan.to_dict(), "commit": commit}):
        return
    print_line("\n".join(plan.describe()))
    if commit is None:
        print_line("Nothing was changed.")
