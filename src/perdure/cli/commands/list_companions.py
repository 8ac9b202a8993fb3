"""``perdure list``."""

from __future__ import annotations

import click

from perdure.cli.output import emit_json, json_option, say, say_styled, style
from perdure.cli.which import companions, home


@click.command("list")
@json_option
def command(*, as_json: bool) -> None:
    """List the companions on this machine."""
    from perdure.chat.overview import overview

    rows = [overview(path) for path in companions()]
    if as_json:
        emit_json(
            [
                {
                    "name": row.name,
                    "path": str(row.path),
                    "branch": row.branch,
                    "last": row.last.isoformat() if row.last else None,
                    "conversations": row.conversations,
                    "problem": row.problem or None,
                }
                for row in rows
            ]
        )
        return
    if not rows:
        say(f"No companion yet in {home()}.")
        say("Make one with: perdure new NAME")
        return
    width = max(len(row.path.name) for row in rows)
    for row in rows:
        when = f"last talk {row.last:%Y-%m-%d %H:%M}" if row.last else "no talk yet"
        count = f"{row.conversations} conversation{'s' * (row.conversations != 1)}"
        facts = row.problem or f"{row.name} · {when} · {count} · on {row.branch}"
        say_styled(style(row.path.name.ljust(width), bold=True), style(f"  {facts}"))
