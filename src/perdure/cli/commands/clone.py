"""``perdure clone``."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.options import json_option, yes_option
from perdure.cli.render.output import as_json, print_line
from perdure.cli.render.progress import SpokenProgress
from perdure.cli.target import home


@click.command("clone")
@click.argument("address", metavar="URL|PATH")
@click.argument("name", required=False)
@click.option(
    "--at", "place", type=click.Path(path_type=Path), help="Her folder, if not the usual."
)
@yes_option
@json_option
def command(address: str, name: str | None, place: Path | None) -> None:
    """Bring a companion back from a remote, or onto another machine.

    Everything comes: all branches and tags, and what was undone or deleted. It is checked on the
    way, and no hook, setting or link of the remote comes along. A backend that came with her is not
    used until you confirm it, nor does failover_to_hosted or sync count: perdure backend confirm.

    You are shown the key of an ssh server that is not known yet before it is accepted.
    """
    from perdure.actions.agreement import unagreed_settings
    from perdure.actions.trust import unconfirmed_backends
    from perdure.cli.render.clone import clone_lines
    from perdure.companion.names import slug
    from perdure.git.repository.repository import Repository
    from perdure.rescue.join import clone_from
    from perdure.views.companions import overview

    if not _knows_server(address):
        return
    progress = SpokenProgress()
    folder = place or home() / (slug(name or _last(address)) or "companion")
    came = clone_from(address, folder, progress)
    progress.clear()
    row = overview(came.path)
    with Repository.open(came.path, recover=False) as repo:
        waiting = [each.name for each in unconfirmed_backends(repo, "HEAD")]
        settings = unagreed_settings(repo, "HEAD")
    record = {
        "name": row.name,
        "path": str(came.path),
        "branch": came.branch,
        "conversations": row.conversations,
        "last": row.last.isoformat() if row.last else None,
        "branches": came.branches,
        "tags": came.tags,
        "unconfirmed": waiting,
        "unagreed": [each.to_dict() for each in settings],
        "left_out": [{"path": path, "reason": reason} for path, reason in came.left_out],
    }
    if as_json(record):
        return
    for line in clone_lines(came, row, waiting, settings):
        print_line(line)


def _knows_server(address: str) -> bool:
    """Show an unknown ssh server's key, and ask. Returns whether it is known then."""
    from perdure.cli.plans import confirm_plan
    from perdure.rescue.join import accept_host_key, unknown_host_key

    key = unknown_host_key(address)
    if key is None:
        return True
    lines = [
        f"The server {key.address.host} is not known here. Its {key.kind} key: {key.fingerprint}"
    ]
    agreed = confirm_plan(lines, "Is that its key?")
    if agreed:
        accept_host_key(key)
    return agreed


def _last(address: str) -> str:
    """The last part of an address, as git names a clone after it."""
    return (
        address.rstrip("/")
        .removesuffix("/.git")
        .removesuffix(".git")
        .rpartition("/")[2]
        .rpartition(":")[2]
    )
