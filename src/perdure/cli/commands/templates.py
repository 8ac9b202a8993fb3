"""``perdure templates``."""

from __future__ import annotations

import click

from perdure.cli.options import json_option
from perdure.cli.render.output import as_json, print_line, styled
from perdure.companion.templates import templates


@click.command("templates")
@json_option
def command() -> None:
    """List the personas you can start from."""
    found = templates()
    if as_json(
        [
            {"name": t.name, "language": t.language, "title": t.title, "summary": t.summary}
            for t in found
        ]
    ):
        return
    width = max(len(t.name) for t in found)
    for template in found:
        print_line(f"{styled(template.name.ljust(width), bold=True)}  {template.summary}")
    print_line()
    print_line("Start from one: perdure new NAME --template TEMPLATE")
