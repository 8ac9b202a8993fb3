"""``perdure branch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.completion import complete_branches
from perdure.cli.options import given
from perdure.cli.plans import confirm_plan, plan_options, print_result
from perdure.cli.render.output import as_json, print_line, print_styled, styled
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import open_workspace

if TYPE_CHECKING:
    from perdure.actions.history.branch import BranchRow, KeptRow
    from perdure.actions.workspace import Workspace


@click.command("branch")
@click.argument("name", required=False, shell_complete=complete_branches)
@click.option("--at", "place", metavar="TURN|REV|DATE", help="Start it there instead of here.")
@click.option("--delete", "drops", is_flag=True, help="Delete the branch's name.")
@click.option("--kept", is_flag=True, help="List what was undone or deleted, and is on no branch.")
@plan_options
def command(name: str | None, place: str | None, *, drops: bool, kept: bool) -> None:
    """List branches, or create one.

    Without NAME: every branch with its last conversation; * marks the current one. With NAME:
    creates it here, or at a turn, revision or date, and you stay where you are; perdure switch goes
    there.

    Deleting a branch deletes its name, not a single word: perdure undo brings it back. --kept lists
    such lines, also those of another device: perdure branch NAME --at ID gets one back.
    """
    if kept and (name or place or drops):
        raise click.UsageError("--kept takes nothing else")
    if name is None and (place or drops):
        raise click.UsageError("give the NAME of a branch")
    if place and drops:
        raise click.UsageError("--at and --delete exclude each other")
    from perdure.actions.history import branch

    with open_workspace(lacking=True, reading=name is None) as workspace:
        if kept:
            _show_kept(branch.list_kept(workspace))
        elif name is None:
            _show(branch.list_branches(workspace))
        elif drops:
            _drop(workspace, name)
        else:
            _begin(workspace, name, place or "")


def _show(rows: list[BranchRow]) -> None:
    if as_json([row.to_dict() for row in rows]):
        return
    from perdure.actions.history.branch import subject_words

    width = max((len(row.branch.name) for row in rows), default=0)
    for row in rows:
        at, words = row.branch.at, row.branch.subject
        if row.turn:
            at, words = row.turn.at, subject_words(row.turn)
        elsewhere = f"  (open in {row.branch.elsewhere})" if row.branch.elsewhere else ""
        print_styled(
            styled("* " if row.branch.is_current else "  ", "green"),
            styled(row.branch.name.ljust(width), "green" if row.branch.is_current else None),
            styled(f"  {at:%Y-%m-%d %H:%M}  {words}{elsewhere}"),
        )


def _show_kept(rows: list[KeptRow]) -> None:
    if as_json([row.to_dict() for row in rows]):
        return
    from perdure.actions.history.branch import subject_words

    if not rows:
        print_line("Everything that was ever said is on a branch.")
    for row in rows:
        print_styled(
            styled(row.commit[:10], "green"),
            styled(f"  {row.last.at:%Y-%m-%d %H:%M}  {subject_words(row.last)}"),
            styled(f"  ({row.has})", dim=True),
        )


def _begin(workspace: Workspace, name: str, place: str) -> None:
    from perdure.actions.history import branch
    from perdure.snapshot.conversation.turn_text import commit_label

    if given("--dry-run"):
        from perdure.actions.history.rewind import find_target

        commit = (
            find_target(workspace.repo, place, IndexProgress()).commit if place else workspace.tip
        )
        if not as_json({"plan": {"branch": name, "commit": commit}, "operation": None}):
            at = commit_label(workspace.repo.commit_info(commit))
            print_line(f"{name} would start at {at}. Nothing was changed.")
        return
    operation = branch.begin_branch(workspace, name, place, IndexProgress())
    commit = operation.moves[0].new or ""
    at = commit_label(workspace.repo.commit_info(commit))
    print_result(
        {"branch": name, "commit": commit},
        operation,
        said=f"{name} starts at {at}. Go there with: perdure switch {name}",
    )


def _drop(workspace: Workspace, name: str) -> None:
    from perdure.actions.history import branch

    plan = branch.plan_drop(workspace, name)
    operation = None
    if confirm_plan(plan.describe(), f"Delete the branch name {name}?", is_safe=not plan.ahead):
        operation = branch.remove_branch(workspace, plan)
    print_result(plan.to_dict(), operation, said=f"{name} is no longer listed.")
