"""``undo`` and ``redo``: one or more steps, each announced before it happens."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from perdure.cli.plans import careful_options, confirm_plan, operation_record
from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.target import chosen_companion, companion_option

if TYPE_CHECKING:
    from perdure.actions.history.undo import UndoStep
    from perdure.actions.workspace import Workspace
    from perdure.git.operations.operation import Operation


_VERBS = ("takes ", "brings ", "the ", "on ")


def walk_command(name: str, about: str) -> click.Command:
    """The command that goes back (``undo``) or forward (``redo``)."""

    @click.command(name, help=inspect.cleandoc(about))
    @click.option(
        "-n", "count", type=click.IntRange(1, 1000), default=1, help="How many steps.  [default: 1]"
    )
    @careful_options
    @companion_option
    @json_option
    def command(count: int, *, dry_run: bool, yes: bool, as_json: bool) -> None:
        from perdure.actions.workspace import Workspace

        with Workspace.open(chosen_companion(lacking=True)) as workspace:
            _walk(workspace, name, count, dry_run=dry_run, yes=yes, as_json=as_json)

    return command


def _walk(
    workspace: Workspace, name: str, count: int, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    from perdure.actions.history import undo
    from perdure.git.errors import NothingToUndo

    find = undo.next_undo if name == "undo" else undo.next_redo
    done: list[tuple[UndoStep, Operation]] = []
    step: UndoStep | None = find(workspace)
    while step is not None and len(done) < count:
        says = [
            *map(_line, step.describe()),
            *(_further(workspace, name, count) if not done else ()),
        ]
        agreed = yes or bool(done)
        if not confirm_plan(
            says,
            f"{name.capitalize()} this?" if count == 1 else f"{name.capitalize()} {count} steps?",
            dry_run=dry_run,
            yes=agreed,
            as_json=as_json,
            is_safe=step.is_safe and count == 1,
            quiet=step.is_safe and count == 1 and not dry_run,
        ):
            break
        done.append((step, undo.perform_step(workspace, step)))
        try:
            step = find(workspace) if len(done) < count else None
        except NothingToUndo:
            step = None
    if as_json:
        shown = [each for each, _ in done] or ([step] if step else [])
        emit_json(
            {
                "plan": [each.to_dict() for each in shown],
                "operations": [operation_record(operation) for _, operation in done],
            }
        )
    elif done:
        back = "redo" if name == "undo" else "undo"
        for each, _ in done:
            print_line(each.said())
        print_line(f"To take that back: perdure {back}{f' -n {len(done)}' * (len(done) > 1)}")


def _further(workspace: Workspace, name: str, count: int) -> list[str]:
    """What the steps after the first one would undo, as far as it can be known beforehand."""
    if count == 1 or name != "undo":
        return []
    from perdure.actions.history.operation_text import act_of
    from perdure.actions.history.undo import next_undone

    return [f"Then {act_of(workspace.repo, entry)}." for entry in next_undone(workspace, count)[1:]]


def _line(clause: str) -> str:
    """A plan's clause as a sentence; a leading branch name keeps its case."""
    return f"{clause[:1].upper()}{clause[1:]}." if clause.startswith(_VERBS) else f"{clause}."
