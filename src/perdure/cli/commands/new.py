"""``perdure new``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from perdure.cli.options import json_option
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import home


def _complete_template(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[str]:
    from perdure.companion.templates import templates

    return [t.name for t in templates() if t.name.startswith(incomplete)]


@click.command("new")
@click.argument("name")
@click.option(
    "--template",
    default="friend",
    show_default=True,
    shell_complete=_complete_template,
    help="The persona to start from; `perdure templates` lists them.",
)
@click.option("--user", help="What the companion calls you.  [default: your first name in git]")
@click.option(
    "--at",
    "folder",
    type=click.Path(path_type=Path),
    help="Create it in this folder instead of the usual one.",
)
@json_option
def command(name: str, template: str, user: str | None, folder: Path | None) -> None:
    """Create a companion from a template: a git repository of plain text."""
    from perdure.actions.companion.create import create_companion
    from perdure.companion.names import slug

    target = folder.expanduser() if folder is not None else home() / slug(name)
    founded = create_companion(target, name=name, template=template, user=user)
    if as_json(
        {
            "name": founded.name,
            "path": str(founded.path),
            "commit": founded.commit,
            "backend": founded.backend,
            "model": founded.model,
        }
    ):
        return
    print_line(f"{founded.name} lives in {founded.path}, an ordinary git repository.")
    print_line(founded.voice)
    path, name = shlex.quote(str(founded.path)), shlex.quote(founded.path.name)
    where = f"perdure -c {path} chat" if folder else f"perdure chat {name}"
    print_line(f"Chat: {where}")
