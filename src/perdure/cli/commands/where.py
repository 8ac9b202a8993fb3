"""``perdure where``."""

from __future__ import annotations

import os
import sys

import click

from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import complete_names, find_companion, usual_options


@click.command("where")
@click.argument("name", required=False, shell_complete=complete_names)
@usual_options
def command(name: str | None) -> None:
    """Print a companion's folder, so that you can use git there.

    For example: cd "$(perdure where mira)". Without NAME, it is the companion that every other
    command would use here.
    """
    path = find_companion(name).path
    if as_json({"path": str(path)}):
        return
    if sys.stdout.isatty():
        print_line(str(path))
    else:
        # As it is: a shell goes there.
        click.echo(os.fsencode(path))
