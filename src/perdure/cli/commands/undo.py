"""``perdure undo`` and ``perdure redo``: one or more steps, each announced before it happens."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from perdure.cli.options import given
from perdure.cli.plans import confirm_plan, operation_record, plan_options
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import open_workspace

if TYPE_CHECKING:
    from perdure.actions.history.undo import UndoStep
    from perdure.actions.workspace import Workspace
    from perdure.git.operations.operation import Operation


_VERBS = ("takes ", "brings ", "the ", "on ")


def _walk_command(name: str, about: str) -> click.Command:
    """The command that goes back (``undo``) or forward (``redo``)."""

    @click.command(name, help=inspect.cleandoc(about))
    @click.option(
        "-n", "count", type=click.IntRange(1, 1000), default=1, help="How many steps.  [default: 1]"
    )
    @plan_options
    def walk(count: int) -> None:
        with open_workspace(lacking=True) as workspace:
            done, ahead = _walk(workspace, name, count)
            steps = [step for step, _ in done]
            record = {
                "plan": [step.to_dict() for step in steps or ahead],
                "operations": [operation_record(operation) for _, operation in done],
            }
            if not as_json(record) and done:
                back = "redo" if name == "undo" else "undo"
                for step in steps:
                    print_line(step.said())
                print_line(
                    f"To take that back: perdure {back}{f' -n {len(done)}' * (len(done) > 1)}"
                )

    return walk


def _walk(
    workspace: Workspace, name: str, count: int
) -> tuple[list[tuple[UndoStep, Operation]], list[UndoStep]]:
    """Take the steps that are agreed to; the steps taken, and the one that comes next."""
    from perdure.actions.history import undo
    from perdure.git.errors import NothingToUndo

    find = undo.next_undo if name == "undo" else undo.next_redo
    question = f"{name.capitalize()} this?" if count == 1 else f"{name.capitalize()} {count} steps?"
    done: list[tuple[UndoStep, Operation]] = []
    while len(done) < count:
        try:
            step = find(workspace)
        except NothingToUndo:
            if not done:
                raise
            break
        is_safe = step.is_safe and count == 1
        further = _further(workspace, name, count) if not done else []
        if not confirm_plan(
            [*map(_line, step.describe()), *further],
            question,
            is_agreed=bool(done),
            is_safe=is_safe,
            quiet=is_safe and not given("--dry-run"),
        ):
            return done, [step]
        done.append((step, undo.perform_step(workspace, step)))
    return done, []


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


command = _walk_command(
    "undo",
    """Take back the last thing you did: a turn, an edit, a rewind, a switch, a tag, a merge.

    Says what it took back; --dry-run says it beforehand. It asks if more than one act would be left
    on no branch. Nothing is ever lost: perdure redo brings it back. What the program wrote about a
    turn by itself, such as a summary, goes and comes back with the turn. perdure ops lists past
    operations and marks what comes next.

    What another device did is never taken back, and a sync is no step. What was already pushed is
    taken back by a new commit; otherwise it would return with the next sync. After an undo, the
    next message begins a conversation that continues from the turn before.
    """,
)
redo = _walk_command(
    "redo", "Redo what the last undo took back, unless something new was done since."
)
