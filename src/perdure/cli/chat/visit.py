"""Chat on a scratch branch at an earlier point for as long as a command runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from perdure.cli.render.output import print_line
from perdure.cli.render.progress import IndexProgress

if TYPE_CHECKING:
    from perdure.actions.history.visit import Visit
    from perdure.actions.workspace import Workspace

_Command = TypeVar("_Command", bound=Callable[..., object])


def visit_options(command: _Command) -> _Command:
    """``--at``, ``--keep`` and ``--drop``."""
    command = click.option(
        "--drop", is_flag=True, help="With --at: delete the scratch branch afterwards."
    )(command)
    command = click.option(
        "--keep", default="", metavar="NAME", help="With --at: keep the scratch branch as NAME."
    )(command)
    return click.option(
        "--at", "place", default="", metavar="DATE|REV|TURN", help="Chat with her as she was then."
    )(command)


@contextmanager
def visited(path: Path, place: str, *, keep: str, drop: bool) -> Iterator[None]:
    """Check out a scratch branch at a revision, and return at the end whatever happens.

    With an empty ``place`` nothing of that is done.

    Raises:
        click.UsageError: ``keep`` or ``drop`` without a place, or both.
    """
    if (keep or drop) and not place:
        raise click.UsageError("--keep and --drop need --at")
    if keep and drop:
        raise click.UsageError("--keep and --drop exclude each other")
    if not place:
        yield
        return
    from perdure.actions.history import visit as visits
    from perdure.actions.workspace import Workspace

    with Workspace.open(path) as workspace:
        plan = visits.plan_visit(workspace, place, IndexProgress())
        if keep:
            visits.check_name(workspace.repo, keep)
        visit = visits.begin_visit(workspace, plan)
    try:
        yield
    finally:
        with Workspace.open(path) as workspace:
            _back(workspace, visit, keep=keep, drop=drop)


def _back(workspace: Workspace, visit: Visit, *, keep: str, drop: bool) -> None:
    from perdure.actions.history import visit as visits
    from perdure.cli.input.ask import ask_yes_no, on_terminal

    said = visits.ahead_of_start(workspace, visit)
    if said and not (keep or drop) and on_terminal():
        print_line(f"On {visit.name}: {said}.", err=True)
        drop = not ask_yes_no("Keep it?")
    visits.end_visit(workspace, visit, keep=keep, drop=drop)
    if not said:
        print_line(f"You are back on {visit.back}.", err=True)
    elif drop:
        print_line(f"You are back on {visit.back}. To restore {visit.name}: perdure undo", err=True)
    else:
        name = keep or visit.name
        print_line(
            f"You are back on {visit.back}. What was said is kept on {name}: perdure switch "
            f"{name} goes there, perdure branch {name} --delete deletes it.",
            err=True,
        )
