"""``perdure adopt``."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.options import dry_run_option, json_option, yes_option
from perdure.cli.plans import confirm_plan
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import home

if TYPE_CHECKING:
    from perdure.actions.companion.adopt import Adoption


class _NotAgreed(Exception):
    """The user did not agree, or only wanted to see it."""


@click.command("adopt")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("name", required=False)
@click.option(
    "--at",
    "place",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Put her into this folder instead of the usual one.",
)
@dry_run_option
@yes_option
@json_option
def command(folder: Path, name: str | None, place: Path | None) -> None:
    """Make a safe companion of a folder that somebody handed over.

    FOLDER is a copied companion, a bare repository, or a companion's files without git. Its
    history is copied into a new repository under NAME; FOLDER stays as it is, and nothing in it is
    obeyed: settings, hooks, and what a crash left there. No backend is used before you confirm it.

    Edits that are in no commit there come along as edits. Words of a turn that was being written,
    and of a message that was not sent, are shown, and kept as text.
    """
    from perdure.actions.companion.adopt import adopting
    from perdure.cli.render.progress import IndexProgress
    from perdure.companion.names import slug

    source = folder.expanduser().absolute()
    called = slug(name or source.name) or "companion"
    target = place.expanduser() if place is not None else home() / called
    made = False
    with suppress(_NotAgreed), adopting(source, target, IndexProgress(unit="objects")) as adoption:
        _ask(adoption)
        made = True
    if as_json({"plan": adoption.to_dict(), "adopted": made}) or not made:
        return
    print_line(f"{adoption.name} lives in {target}, an ordinary git repository.")
    at = shlex.quote(str(target) if place is not None else target.name)
    if adoption.waiting:
        print_line(f"Her backends: perdure backend confirm --all -c {at}")
    print_line(f"Chat: perdure -c {at} chat")


def _ask(adoption: Adoption) -> None:
    if not confirm_plan(adoption.describe(), "Adopt her?"):
        raise _NotAgreed
