"""``perdure templates``."""

from __future__ import annotations

import click

from perdure.cli.render.output import emit_json, json_option, print_line, styled
from perdure.companion.templates import templates


@click.command("templates")
@json_option
def command(*, as_json: bool) -> None:
    """List the personas you can start from."""
    found = templates()
    if as_json:
        emit_json(
            [
                {"name": t.name, "language": t.language, "title": t.title, "summary": t.summary}
                for t in found
            ]
        )
        return
    width = max(len(t.name) for t in found)
    for template in found:
        print_line(f"{styled(template.name.ljust(width), bold=True)}  {template.summary}")
    print_line()
    print_line("Start from one: perdure new NAME --template TEMPLATE")
