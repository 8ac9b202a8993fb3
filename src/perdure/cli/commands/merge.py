"""``perdure merge``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from perdure.cli.completion import complete_branches
from perdure.cli.options import given
from perdure.cli.plans import confirm_plan, operation_record, plan_options, print_result
from perdure.cli.render.output import as_json, emit_json, print_line
from perdure.cli.target import open_workspace

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
@plan_options
def command(
    branch: str | None,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    *,
    concludes: bool,
    aborts: bool,
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

    with open_workspace() as workspace:
        if branch is not None:
            sys.exit(_begin(workspace, branch))
        if aborts:
            merge_action.abort(workspace)
            if not as_json({"aborted": True}):
                print_line("The merge is abandoned; everything is as it was before.")
        elif concludes:
            operation = merge_action.conclude(workspace)
            if not as_json({"operation": operation_record(operation)}):
                print_line("Merged. To undo: perdure undo")
        else:
            for side, files in (("ours", ours), ("theirs", theirs)):
                for path in files:
                    merge_action.take_side(workspace, path, side)
            sys.exit(_show_open(workspace))


def _begin(workspace: Workspace, branch: str) -> int:
    from perdure.actions.history import merge as merge_action

    plan = merge_action.plan_branch_merge(workspace, branch)
    done = None
    if confirm_plan(plan.describe(), f"Merge {branch}?", is_safe=plan.plan.kind == "nothing"):
        done = merge_action.merge_branch(workspace, branch)
        if done.conflicts and not given("--json"):
            _show_open(workspace)
    operation = done.operation if done else None
    is_open = done is not None and bool(done.conflicts)
    said = f"Merged {branch} into {plan.plan.branch}. To undo: perdure undo"
    print_result(plan.to_dict(), operation, said=said if operation else "", open=is_open)
    return 3 if is_open else 0


def _show_open(workspace: Workspace) -> int:
    from perdure.actions.history import merge as merge_action

    found = merge_action.unfinished_merge(workspace)
    if given("--json"):
        files = found.merge.conflicts if found else ()
        conflicts = [merge_action.conflict_record(one) for one in files]
        theirs = found.merge.theirs if found else None
        emit_json({"open": found is not None, "merges": theirs, "conflicts": conflicts})
    elif found is None:
        print_line(
            "No merge is open. perdure merge BRANCH starts one; perdure branch lists the branches."
        )
    else:
        print_line("\n".join(found.describe()))
    return 3 if found is not None and found.waits else 0
