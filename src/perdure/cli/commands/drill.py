"""``perdure drill``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from perdure.cli.render.output import as_json, print_line
from perdure.cli.render.progress import SpokenProgress
from perdure.cli.render.proof import BROKEN, UNPROVEN, end_by_state
from perdure.cli.target import open_workspace, usual_options

if TYPE_CHECKING:
    from perdure.backends.protocol import BackendSpec
    from perdure.git.remotes.settings import Remote
    from perdure.git.repository.repository import Repository
    from perdure.rescue.drill.report import Depth


@click.command("drill")
@click.argument("remote", required=False)
@click.option("--full", "depth", flag_value="full", default=True, help="Restore all of it.")
@click.option("--quick", "depth", flag_value="quick", help="Only what is new since the last proof.")
@click.option(
    "--speak",
    "depth",
    flag_value="speak",
    help="All of it, and one line through each confirmed backend, hosted ones too.",
)
@click.option("--last", is_flag=True, help="Show the last report; nothing is tried.")
@usual_options
def command(remote: str | None, depth: Depth, *, last: bool) -> None:
    """Prove that a restore works: bring the companion back from a remote, and look at all of her.

    Everything comes back into a scratch folder that is removed afterwards; the companion here is
    only read. Every object is hashed and connected, every conversation read, the indexes are built
    again, turns counted and compared with those here, and the last prompts rebuilt and compared by
    their hashes.

    With --speak she is also asked for one line through each backend that is confirmed on this
    device, and through the embedded model; a hosted one is sent what any message sends it. Nothing
    of it comes into her conversations here.

    Without REMOTE: from all of them.

    The exit code is 0 if a restore is proven and no turn is at risk; 3 if it is not proven, too
    old, or a turn is on no remote or newer than the proof; 1 if a backup cannot be restored.
    """
    from perdure.git.remotes.settings import list_remotes
    from perdure.rescue.drill.run import drill
    from perdure.rescue.run import chosen_remotes
    from perdure.views.proof import proof_state

    progress = SpokenProgress()
    with open_workspace(reading=True) as workspace:
        repo = workspace.repo
        known = list_remotes(repo)
        if remote is not None and known and remote not in {each.name for each in known}:
            names = ", ".join(each.name for each in known)
            raise click.UsageError(f"There is no remote {remote!r}. There are: {names}")
        remotes = chosen_remotes(repo, remote) if known else []
        if last:
            reports = [_last(repo, each) for each in remotes]
        else:
            backends = _voices(repo) if depth == "speak" else []
            reports = [
                drill(repo, each, depth, progress, backends=backends).to_dict() for each in remotes
            ]
        progress.clear()
        state = proof_state(repo)
    is_json = as_json({"state": state.to_dict() if state else None, "remotes": reports})
    if state is None:
        end_by_state(state)
        return
    verdicts = {report.get("verdict") for report in reports}
    if not is_json:
        from perdure.cli.render.drill import report_lines

        for report in reports:
            for line in report_lines(report):
                print_line(line)
        if "broken" not in verdicts:
            print_line(f"{str(state)[:1].upper()}{str(state)[1:]}.")
    if "broken" in verdicts or state.failure:
        sys.exit(BROKEN)
    if verdicts != {"proven"} or not state.is_well:
        sys.exit(UNPROVEN)


def _voices(repo: Repository) -> list[BackendSpec]:
    """The backends to speak through; what leaves this machine is said before anything does."""
    from perdure.rescue.drill.voices import confirmed_backends, hosted_warning

    backends = confirmed_backends(repo)
    for line in hosted_warning(backends):
        print_line(line, err=True)
    return backends


def _last(repo: Repository, remote: Remote) -> dict[str, object]:
    from perdure.git.remotes.proof import read_drills

    found = read_drills(repo, remote.name, remote.url).report
    return found or {"remote": remote.name, "url": remote.url, "verdict": "unproven"}
