"""``perdure list``."""

from __future__ import annotations

import click

from perdure.cli.options import json_option
from perdure.cli.render.output import as_json, print_line, print_styled, styled
from perdure.cli.target import companions, home
from perdure.plural import plural


@click.command("list")
@json_option
def command() -> None:
    """List your companions and their folders.

    Lists the companions in the usual folder (PERDURE_HOME). If you made one with --at, or cloned it
    to another place, name it by its path, -c PATH, or go to its folder.
    """
    from perdure.views.companions import overview

    rows = [overview(path) for path in companions()]
    if as_json(
        [
            {
                "name": row.name,
                "path": str(row.path),
                "branch": row.branch,
                "last": row.last.isoformat() if row.last else None,
                "conversations": row.conversations,
                "conflicts": row.conflicts,
                "problem": row.problem or None,
                "at_risk": row.at_risk.to_dict() if row.at_risk else None,
                "restore": row.proof.to_dict() if row.proof else None,
                "paused": dict(row.paused),
            }
            for row in rows
        ]
    ):
        return
    if not rows:
        print_line(f"There is no companion in {home()} yet.")
        print_line("Create one with: perdure new NAME")
        return
    width = max(len(row.path.name) for row in rows)
    for row in rows:
        when = f"last message {row.last:%Y-%m-%d %H:%M}" if row.last else "no messages yet"
        count = plural(row.conversations, "conversation")
        facts = row.problem or f"{row.name} · {when} · {count} · on {row.branch}"
        if row.proof is not None:
            facts += f" · {row.proof}"
        for remote, reason in row.paused.items():
            facts += f" · sync with {remote} is paused: {reason}"
        if row.conflicts:
            places = plural(row.conflicts, "place differs", "places differ")
            facts += f" · {places} between your devices: perdure conflicts"
        print_styled(styled(row.path.name.ljust(width), bold=True), styled(f"  {facts}"))
        print_styled(styled(f"{'':{width}}  {row.path}", dim=True))
