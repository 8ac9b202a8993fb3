"""``perdure merge``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from perdure.cli.completion import complete_branches
from perdure.cli.plans import careful_options, confirm_plan, operation_record
from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.target import chosen_companion, companion_option

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace


@click.command("merge")
@click.argument("branch", required=False, shell_complete=complete_branches)
@click.option("--continue", "concludes", is_flag=True, help="Complete the open merge.")
@click.option("--abort", "aborts", is_flag=True, help="Abort the open merge.")
@click.option(
    "--ours", multiple=True, metavar="FILE", help="Resolve FILE with this branch's version."
)
@click.option(
    "--theirs", multiple=True, metavar="FILE", help="Resolve FILE with the other branch's version."
)
@careful_options
@companion_option
@json_option
def command(
    branch: str | None,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    *,
    concludes: bool,
    aborts: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Merge another branch into this one; without BRANCH, show the open merge.

    The conversations of both branches come together and never conflict. If both changed the same
    lines of persona or memory, the merge stays open, the file has both versions between conflict
    markers, and she goes on as she is on this branch. Resolve the files in an editor (or with
    --ours and --theirs), then --continue.

    It is an ordinary git merge: git status, git commit and git merge --abort work on it too. Exit
    code 3: there are conflicts to resolve.
    """
    asked = sum((branch is not None, concludes, aborts, bool(ours or theirs)))
    if asked > 1:
        raise click.UsageError(
            "give just one of BRANCH, --continue, --abort, or --ours and --theirs"
        )
    from perdure.actions.history import merge as merge_action
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion()) as workspace:
        if branch is not None:
            sys.exit(_begin(workspace, branch, dry_run=dry_run, yes=yes, as_json=as_json))
        if aborts:
            merge_action.abort(workspace)
            _tell(
                {"aborted": True},
                "The merge is abandoned; everything is as it was before.",
                as_json=as_json,
            )
        elif concludes:
            record = operation_record(merge_action.conclude(workspace))
            _tell({"operation": record}, "Merged. To undo: perdure undo", as_json=as_json)
        else:
            for side, files in (("ours", ours), ("theirs", theirs)):
                for path in files:
                    merge_action.take_side(workspace, path, side)
            sys.exit(_show_open(workspace, as_json=as_json))


def _tell(record: dict[str, object], said: str, *, as_json: bool) -> None:
    if as_json:
        emit_json(record)
    else:
        print_line(said)


def _begin(workspace: Workspace, branch: str, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    from perdure.actions.history import merge as merge_action

    plan = merge_action.plan_branch_merge(workspace, branch)
    is_nothing = plan.plan.kind == "nothing"
    done = None
    if confirm_plan(
        plan.describe(),
        f"Merge {branch}?",
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
        is_safe=is_nothing,
    ):
        done = merge_action.merge_branch(workspace, branch)
        if done.conflicts and not as_json:
            _show_open(workspace, as_json=False)
    operation = done.operation if done else None
    is_open = done is not None and bool(done.conflicts)
    if as_json:
        record = operation_record(operation) if operation else None
        emit_json({"plan": plan.to_dict(), "operation": record, "open": is_open})
    elif operation is not None:
        print_line(f"Merged {branch} into {plan.plan.branch}. To undo: perdure undo")
    return 3 if is_open else 0


def _show_open(workspace: Workspace, *, as_json: bool) -> int:
    from perdure.actions.history import merge as merge_action

    found = merge_action.unfinished_merge(workspace)
    if as_json:
        files = found.merge.conflicts if found else ()
        conflicts = [merge_action.conflict_record(one) for one in files]
        theirs = found.merge.theirs if found else None
        emit_json({"open": found is not None, "merges": theirs, "conflicts": conflicts})
    elif found is None:
        print_line(
            "No merge is open. perdure merge BRANCH starts one; perdure branch lists the branches."
        )
    else:
        for line in found.describe():
            print_line(line)
    return 3 if found is not None and found.waits else 0
