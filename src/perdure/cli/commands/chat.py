"""``perdure chat``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from perdure.cli.chat.visit import visit_options, visited
from perdure.cli.target import (
    chosen_companion,
    companion_option,
    companion_to_talk_to,
    complete_names,
)


@click.command("chat")
@click.argument("name", required=False, shell_complete=complete_names)
@click.option(
    "--plain",
    is_flag=True,
    help="Plain lines without cursor movement: for screen readers and dumb terminals.",
)
@visit_options
@companion_option
def command(name: str | None, place: str, keep: str, *, plain: bool, drop: bool) -> None:
    """Chat in the terminal program.

    Without a terminal, on a dumb one, or with --plain, it reads lines from stdin and prints the
    replies.

    With --at, you chat with her as she was on a day, at a revision or at a turn, on a scratch
    branch. Afterwards you are back where you were, and can keep or drop the branch.
    """
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    plain = plain or dumb or not (sys.stdin.isatty() and sys.stdout.isatty())
    # The screen shows whose it is.
    path = companion_to_talk_to(name) if plain else chosen_companion(name)
    with visited(path, place, keep=keep, drop=drop):
        code = _talk(path, plain=plain)
    sys.exit(code)


def _talk(path: Path, *, plain: bool) -> int:
    if plain:
        from perdure.cli.chat.plain import run_plain_chat

        return run_plain_chat(path)
    from perdure.tui import run_chat

    return run_chat(path, debug=bool(click.get_current_context().find_root().params.get("debug")))
