"""Sync, backup and drill between two lines of a chat in plain lines."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.render.output import print_line
from perdure.errors import Problem

COMMANDS = ("/sync", "/backup", "/drill")


def run_remote_command(path: Path, word: str, name: str) -> None:
    """Run one of `COMMANDS`; Ctrl-C stops it. What goes wrong is printed.

    Args:
        path: the companion's folder.
        word: the command.
        name: what stands behind it: a remote for ``/sync``, ``full`` for ``/drill``.
    """
    try:
        match word:
            case "/sync":
                _sync(path, name)
            case "/backup":
                _backup(path)
            case _:
                _drill(path, name)
    except Problem as problem:
        print_line(f"note: {problem}")
    except (KeyboardInterrupt, click.Abort):
        print_line("note: stopped. What was done before stays.")


def _sync(path: Path, name: str = "", *, takes: bool = True) -> None:
    from perdure.cli.remotes import print_outcome, synced

    done = synced(path, name or None, takes=takes)
    print_outcome(done)
    for problem in done.problems():
        print_line(f"note: {problem}")


def _backup(path: Path) -> None:
    from perdure.actions.workspace import Workspace
    from perdure.views.proof import proof_state

    _sync(path, takes=False)
    with Workspace.open(path, reading=True) as workspace:
        state = proof_state(workspace.repo)
    if state is not None:
        print_line(f"{str(state)[:1].upper()}{str(state)[1:]}.")
        if not state.is_well:
            print_line("note: to prove that a restore works: /drill")


def _drill(path: Path, depth: str) -> None:
    from perdure.actions.workspace import Workspace
    from perdure.cli.render.drill import report_lines
    from perdure.cli.render.progress import SpokenProgress
    from perdure.rescue.drill.run import drill
    from perdure.rescue.run import chosen_remotes
    from perdure.views.proof import proof_state

    if depth not in {"", "full"}:
        print_line(
            "note: /drill looks at what is new, /drill full at all of her. To hear her speak: "
            "perdure drill --speak"
        )
        return
    progress = SpokenProgress()
    with Workspace.open(path, reading=True) as workspace:
        for remote in chosen_remotes(workspace.repo, None):
            report = drill(workspace.repo, remote, "full" if depth else "quick", progress)
            progress.clear()
            for line in report_lines(report.to_dict()):
                print_line(line)
        state = proof_state(workspace.repo)
    print_line(f"{str(state)[:1].upper()}{str(state)[1:]}.")
