"""``perdure conflicts``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import click

from perdure.cli.completion import complete_files
from perdure.cli.input.ask import ask, check_editor, edit_text
from perdure.cli.options import given
from perdure.cli.render.conflicts import show_conflicts, show_file, show_hunk
from perdure.cli.render.output import emit_json, print_line
from perdure.cli.target import open_workspace, usual_options
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.sync.conflicts import (
        Choice,
        ConflictHunk,
        OpenConflict,
    )
    from perdure.actions.workspace import Workspace

_ASKED = "[k]eep, [o]ther, [b]oth, [e]dit, [s]kip, [q]uit"
_INSTEAD = "Give --keep, --take-other or --both."


@click.command("conflicts")
@click.argument("file", required=False, shell_complete=complete_files)
@click.option("--settle", "asks", is_flag=True, help="Choose place by place.")
@click.option("--keep", is_flag=True, help="Settle with the words that are there.")
@click.option("--take-other", is_flag=True, help="Settle with the other device's words.")
@click.option("--both", is_flag=True, help="Settle with both, one after the other.")
@usual_options
def command(file: str | None, *, asks: bool, keep: bool, take_other: bool, both: bool) -> None:
    """List and settle what was changed differently on two devices.

    When two devices changed the same lines, sync takes the lines that were changed last and goes
    on; nothing is lost. This lists both versions of each place, with who wrote them and when.
    --settle asks about them one by one; --keep, --take-other and --both settle all places without
    asking. With FILE, only the places in that file. Each file is its own commit, and perdure undo
    takes it back.

    Exit code 3: there are places to settle.
    """
    if sum((asks, keep, take_other, both)) > 1:
        raise click.UsageError("give just one of --settle, --keep, --take-other and --both")
    choice: Choice | None = "keep" if keep else "other" if take_other else "both" if both else None
    with open_workspace(reading=not (asks or choice)) as workspace:
        found = _found(workspace, file)
        changes = bool(found) and (asks or choice is not None)
        if changes and asks:
            check_editor(_INSTEAD)
        if changes:
            _settle(workspace, file, _ask if asks else lambda each: [choice] * len(each.hunks))
            found = _found(workspace, file)
    if given("--json"):
        emit_json({"conflicts": [each.to_dict() for each in found]})
    elif not changes:
        show_conflicts(found, file)
    sys.exit(3 if found else 0)


def _found(workspace: Workspace, file: str | None) -> list[OpenConflict]:
    from perdure.actions.sync.conflicts import open_conflicts

    found = open_conflicts(workspace.repo, workspace.tip)
    return [each for each in found if file is None or each.path == _path(file, found)]


def _path(file: str, found: Sequence[OpenConflict]) -> str:
    """The file that is meant: by its path, or by its name alone."""
    paths = {each.path for each in found}
    named = [path for path in paths if path.rpartition("/")[2] == file]
    return named[0] if file not in paths and len(named) == 1 else file.removeprefix("./")


def _settle(
    workspace: Workspace,
    file: str | None,
    choose: Callable[[OpenConflict], Sequence[Choice | None]],
) -> None:
    """Settle file by file; what was left open is not asked about again.

    Fewer choices than places: the user has had enough, and the rest stays open.
    """
    from perdure.actions.sync.conflicts import settle

    seen: set[tuple[tuple[str, ...], str]] = set()
    while left := [e for e in _found(workspace, file) if (e.merges, e.path) not in seen]:
        conflict = left[0]
        seen.add((conflict.merges, conflict.path))
        chosen = choose(conflict)
        unasked = len(conflict.hunks) - len(chosen)
        choices = [*chosen, *[None] * unasked]
        if settle(workspace, conflict, choices) and not given("--json"):
            _tell(conflict, choices.count(None))
        if unasked:
            return


def _tell(conflict: OpenConflict, still_open: int) -> None:
    left = f", but for {plural(still_open, 'place')}" if still_open else ""
    print_line(f"Settled {conflict.path}{left}. To undo: perdure undo")


def _ask(conflict: OpenConflict) -> list[Choice | None]:
    """Ask about each place, until the user has had enough; what is skipped stays open."""
    show_file(conflict)
    chosen: list[Choice | None] = []
    for hunk in conflict.hunks:
        show_hunk(conflict, hunk)
        choice = _ask_one(hunk)
        if choice == "quit":
            break
        chosen.append(choice)
    return chosen


def _ask_one(hunk: ConflictHunk) -> Choice | Literal["quit"] | None:
    while True:
        match ask(_ASKED, "s")[:1].lower():
            case "k":
                return "keep"
            case "o":
                return "other"
            case "b":
                return "both"
            case "s":
                return None
            case "q":
                return "quit"
            case "e":
                both = (hunk.kept + hunk.other).decode("utf-8", "replace")
                edited = edit_text(both, _INSTEAD)
                if edited is not None:
                    return edited.encode()
