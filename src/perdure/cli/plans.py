"""For commands with far-reaching effects: show the plan, then ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from perdure.cli.options import Command, dry_run_option, given, yes_option
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import usual_options

if TYPE_CHECKING:
    from perdure.actions.hand_edits import HandEditCommits
    from perdure.git.operations.operation import Operation


def plan_options(command: Command) -> Command:
    """``--dry-run`` and ``--yes``, and those of most commands."""
    return dry_run_option(yes_option(usual_options(command)))


branch_name_option = click.option(
    "--as", "name", default="", metavar="NAME", help="Name of the new branch, if one is needed."
)


def confirm_plan(
    lines: Sequence[str],
    question: str,
    *,
    is_agreed: bool = False,
    is_safe: bool = False,
    quiet: bool = False,
) -> bool:
    """Show a plan and find out whether to carry it out.

    Args:
        lines: the plan, one sentence a line. With JSON it goes to stderr, and only if asked about.
        question: asked on a terminal.
        is_agreed: the user agreed beforehand, as with ``--yes``.
        is_safe: needs no question.
        quiet: is not said beforehand, unless it is asked about.

    Raises:
        click.UsageError: nobody can be asked, and nobody agreed.
    """
    from perdure.cli.input.ask import ask_yes_no, on_terminal

    dry_run, for_json = given("--dry-run"), given("--json")
    asks = not (dry_run or given("--yes") or is_agreed or is_safe)
    if asks and not on_terminal():
        raise click.UsageError(
            "There is no terminal to ask on. Use --yes to do it, or --dry-run to see what it does"
        )
    if asks or not (for_json or quiet):
        for line in lines:
            print_line(line, err=for_json)
    if dry_run:
        if not for_json:
            print_line("Nothing was changed.")
        return False
    if not asks:
        return True
    if ask_yes_no(question):
        return True
    print_line("Nothing was changed.", err=True)
    return False


def print_result(
    plan: object, operation: Operation | None, *, said: str = "", **more: object
) -> None:
    """Print a command's result, for people or as JSON."""
    record = operation_record(operation) if operation is not None else None
    if not as_json({"plan": plan, "operation": record, **more}) and said and (record or more):
        print_line(said)


def operation_record(operation: Operation) -> dict[str, object]:
    """An operation as plain data."""
    return {
        "id": operation.id,
        "kind": operation.kind,
        "what": operation.description,
        "branch": operation.after.branch,
        "commit": operation.after.commit,
    }


def print_edits(done: HandEditCommits) -> None:
    """Say which edits by hand were committed first, and which could not be."""
    for text in done.committed:
        print_line(text, err=True)
    for text in done.held:
        print_line(f"Not committed: {text}", err=True)
