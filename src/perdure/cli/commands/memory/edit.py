"""``perdure memory edit``."""

from __future__ import annotations

import click

from perdure.cli.input.stdin import read_text
from perdure.cli.options import dry_run_option, given
from perdure.cli.plans import print_edits
from perdure.cli.render.memory import print_done
from perdure.cli.render.output import print_line
from perdure.cli.target import open_workspace, usual_options


@click.command("edit")
@click.argument("fact", metavar="FACT")
@click.option("--text", metavar="TEXT", help="The new words; '-' reads them from stdin.")
@click.option("--topic", metavar="TOPIC", help="Move it to another topic.")
@click.option("--pin/--unpin", "pinned", default=None, help="Put it before all others, or not.")
@click.option(
    "--aside/--back", "aside", default=None, help="Take it out of prompts, or bring it back."
)
@click.option(
    "--reason", default="", metavar="TEXT", help="With --aside: the reason, kept with it."
)
@click.option("--remove", is_flag=True, help="Remove it; the history keeps it.")
@dry_run_option
@usual_options
def edit(
    fact: str,
    text: str | None,
    topic: str | None,
    pinned: bool | None,  # noqa: FBT001 - click gives it by name
    aside: bool | None,  # noqa: FBT001
    reason: str,
    *,
    remove: bool,
) -> None:
    """Change one fact: its words, topic or rank; set it aside; remove it.

    FACT is its name in perdure memory list, such as people:3, or words that only one fact contains.
    Without an option, your editor opens with its words. Only its line changes, in one commit in
    your name; perdure undo takes that back.
    """
    from perdure.actions.memory import facts

    changes = (text, topic, pinned) != (None, None, None)
    if remove + changes + (aside is not None) > 1:
        raise click.UsageError("--remove, --aside and --back exclude all other changes")
    if reason and not aside:
        raise click.UsageError("--reason needs --aside")
    with open_workspace() as workspace:
        if not given("--dry-run"):
            print_edits(workspace.commit_hand_edits())
        there = facts.known(workspace)
        row = there.find(fact)
        if not (remove or changes or aside is not None):
            text = _edited(row.fact.text)
            if text is None:
                print_line("Nothing was changed.", err=True)
                return
        elif text == "-":
            text = read_text()
        if remove:
            plan = facts.plan_remove_fact(workspace, there, row)
        elif aside is not None:
            plan = facts.plan_exclude_fact(there, row, back=not aside, reason=reason)
        else:
            plan = facts.plan_edit_fact(workspace, there, row, facts.FactEdit(text, topic, pinned))
        commit = None if given("--dry-run") else facts.commit_plan(workspace, plan)
    print_done(plan, commit)


def _edited(old: str) -> str | None:
    """The words from the editor; None if nothing changed."""
    from perdure.cli.input.ask import edit_text

    edited = edit_text(old + "\n", "Give --text, or another change")
    return edited if edited is not None and edited.strip() != old else None
