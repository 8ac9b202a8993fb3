"""For commands with far-reaching effects: show the plan, then ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from perdure.cli.render.output import emit_json, print_line

if TYPE_CHECKING:
    from perdure.actions.hand_edits import HandEditCommits
    from perdure.git.operations.operation import Operation

_Command = TypeVar("_Command", bound=Callable[..., object])


def careful_options(command: _Command) -> _Command:
    """``--dry-run`` and ``--yes``."""
    command = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")(command)
    return click.option(
        "--dry-run", is_flag=True, help="Show what it would do, and change nothing."
    )(command)


def confirm_plan(
    lines: Sequence[str],
    question: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    is_safe: bool = False,
    quiet: bool = False,
) -> bool:
    """Show a plan and find out whether to carry it out.

    Args:
        lines: the plan, one sentence a line. With JSON it goes to stderr, and only if asked about.
        question: asked on a terminal.
        dry_run: only show it.
        yes: the user agreed beforehand.
        as_json: standard output is kept for the JSON document.
        is_safe: needs no question.
        quiet: is not said beforehand, unless it is asked about.

    Raises:
        click.UsageError: nobody can be asked, and nobody agreed.
    """
    from perdure.cli.input.ask import ask_yes_no, on_terminal

    asks = not (dry_run or yes or is_safe)
    if asks and not on_terminal():
        raise click.UsageError(
            "There is no terminal to ask on. Use --yes to do it, or --dry-run to see what it does"
        )
    if asks or not (as_json or quiet):
        for line in lines:
            print_line(line, err=as_json)
    if dry_run:
        if not as_json:
            print_line("Nothing was changed.")
        return False
    if not asks:
        return True
    if ask_yes_no(question):
        return True
    print_line("Nothing was changed.", err=True)
    return False


def print_result(
    plan: object, operation: Operation | None, *, as_json: bool, said: str = "", **more: object
) -> None:
    """Print a command's result, for people or as JSON."""
    if as_json:
        record = operation_record(operation) if operation is not None else None
        emit_json({"plan": plan, "operation": record, **more})
    elif said and (operation is not None or more):
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
