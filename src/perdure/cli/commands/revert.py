"""``perdure revert``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.arguments import commit_of
from perdure.cli.options import given
from perdure.cli.plans import confirm_plan, plan_options, print_edits
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import open_workspace

if TYPE_CHECKING:
    from perdure.actions.history.revert import RevertPlan

_THEN = (
    ("keep", "leave them: she may keep that voice for a while"),
    ("new", "start a new conversation; they may still be recalled"),
    ("aside", "set them aside: kept, but out of prompts; perdure undo brings them back"),
)


@click.command("revert")
@click.argument("rev")
@click.option(
    "--then",
    type=click.Choice([name for name, _ in _THEN]),
    help="What to do with the turns that were answered under it.  [default: ask; else keep]",
)
@plan_options
def command(rev: str, then: str | None) -> None:
    """Revert one change to persona, lore, memory, backends or settings; keep later turns.

    Later edits to other lines stay. The model still reads what was said under the change, so this
    lists those turns, and can begin a new conversation or set them aside.

    REV is a commit, as perdure log shows it, a tag or a date. To go back to an earlier point in the
    conversation, use perdure rewind. To bring back earlier versions of whole files, use perdure
    restore.
    """
    from perdure.actions.history.revert import plan_revert, revert

    with open_workspace() as workspace:
        commit = commit_of(workspace.repo, rev)
        plan = plan_revert(workspace, commit)
        if not confirm_plan(plan.describe(), "Revert this?"):
            as_json({"plan": plan.to_dict(), "commit": None, "then": None, "aside": None})
            return
        chosen_then = then or _ask_then(plan, asks=not given("--yes"))
        edits = workspace.commit_hand_edits()
        print_edits(edits)
        if edits.committed:
            plan = plan_revert(workspace, commit)
        done = revert(workspace, plan, chosen_then)
    made = {"commit": done.commit, "then": chosen_then, "aside": done.aside or None}
    if not as_json({"plan": plan.to_dict(), **made}):
        print_line("Reverted; the conversation stays. To undo: perdure undo")
        _tell(plan, chosen_then)


def _ask_then(plan: RevertPlan, *, asks: bool) -> str:
    from perdure.cli.input.ask import choose

    if not plan.turns or not asks:
        return "keep"
    print_line("What should happen to the turns that were answered under it?", err=True)
    return choose("Choose", _THEN)


def _tell(plan: RevertPlan, then: str) -> None:
    if not plan.turns:
        return
    if then == "new":
        print_line(
            "The next message starts a new conversation; what was said may be recalled in it."
        )
    elif then == "aside":
        facts = (f"the fact “{words}”" for _, words in plan.memory.facts)
        print_line(f"Set aside: {'; '.join([plan.under, *facts])}.")
    else:
        ranges = " ".join(map(str, plan.ranges))
        print_line("The turns that were answered under it are still in her prompt.")
        print_line(f"To set them aside: perdure aside {ranges}")
        print_line("To start a new conversation: perdure say --new TEXT, or /new in the chat")
