"""``perdure new``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.errors import UnknownCompanion
from perdure.cli.options import json_option
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import chosen_companion, home

if TYPE_CHECKING:
    from perdure.actions.companion.create import CreatedCompanion


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
    shell_complete=_complete_template,
    help="The persona to start from; `perdure templates` lists them.  [default: friend]",
)
@click.option(
    "--from",
    "source",
    metavar="COMPANION[@REV]",
    help="Start from another companion's persona, lore and settings: a name or a path, and a tag, "
    "date or commit if not as they are now.",
)
@click.option("--memory", is_flag=True, help="With --from: also the facts that she knows.")
@click.option("--user", help="What the companion calls you.  [default: your first name in git]")
@click.option(
    "--at",
    "folder",
    type=click.Path(path_type=Path),
    help="Create it in this folder instead of the usual one.",
)
@json_option
def command(
    name: str,
    template: str | None,
    source: str | None,
    user: str | None,
    folder: Path | None,
    *,
    memory: bool,
) -> None:
    """Create a companion from a template: a git repository of plain text.

    With --from she begins as another companion is, or was, with the same backends and without any
    of the conversations; that one stays as it is.
    """
    from perdure.companion.names import slug

    if source is not None and template is not None:
        raise click.UsageError("--from takes the place of --template; give one of them")
    if memory and source is None:
        raise click.UsageError("--memory goes with --from")
    target = folder.expanduser() if folder is not None else home() / slug(name)
    if source is not None:
        made = _from(source, target, name, user, memory=memory)
    else:
        from perdure.actions.companion.create import create_companion

        made = create_companion(target, name=name, template=template or "friend", user=user)
    if as_json(
        {
            "name": made.name,
            "path": str(made.path),
            "commit": made.commit,
            "backend": made.backend or None,
            "model": made.model or None,
            "mentions": list(made.mentions),
        }
    ):
        return
    print_line(f"{made.name} lives in {made.path}, an ordinary git repository.")
    print_line(made.voice)
    if made.mentions:
        more = f" and {len(made.mentions) - 3} more files" if len(made.mentions) > 3 else ""
        print_line(f"The former name still stands in {', '.join(made.mentions[:3])}{more}.")
    path, name = shlex.quote(str(made.path)), shlex.quote(made.path.name)
    where = f"perdure -c {path} chat" if folder else f"perdure chat {name}"
    print_line(f"Chat: {where}")


def _from(
    source: str, target: Path, name: str, user: str | None, *, memory: bool
) -> CreatedCompanion:
    """Create a companion from another one, named as in ``mira`` or ``mira@before-the-move``."""
    from perdure.actions.companion.create import create_from
    from perdure.cli.arguments import commit_of
    from perdure.git.repository.repository import Repository

    folder, _, rev = source.partition("@")
    try:
        path, rev = chosen_companion(source), ""
    except UnknownCompanion:
        # A name or a path may have the mark in it.
        if not rev:
            raise
        path = chosen_companion(folder)
    with Repository.open(path, recover=False) as repo:
        commit = commit_of(repo, rev or "HEAD")
        return create_from(repo, commit, target, name=name, user=user, memory=memory)
