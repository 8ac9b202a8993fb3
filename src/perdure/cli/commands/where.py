"""``perdure where``."""

from __future__ import annotations

import os
import sys

import click

from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.target import companion_option, complete_names, find_companion


@click.command("where")
@click.argument("name", required=False, shell_complete=complete_names)
@companion_option
@json_option
def command(name: str | None, *, as_json: bool) -> None:
    """Print a companion's folder, so that you can use git there.

    For example: cd "$(perdure where mira)". Without NAME, it is the companion that every other
    command would use here.
    """
    path = find_companion(name).path
    if as_json:
        emit_json({"path": str(path)})
        return
    if sys.stdout.isatty():
        print_line(str(path))
    else:
        # As it is: a shell goes there.
        click.echo(os.fsencode(path))
