"""``perdure say``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from perdure.cli.chat.visit import visit_options, visited
from perdure.cli.input.stdin import read_text
from perdure.cli.target import companion_to_talk_to, usual_options

if TYPE_CHECKING:
    from perdure.chat.events import Event
    from perdure.chat.session import Session


@click.command("say")
@click.argument("text", required=False)
@click.option("--resume", is_flag=True, help="Answer the last message if it has no reply yet.")
@click.option("--new", "fresh", is_flag=True, help="Start a new conversation with this message.")
@click.option(
    "--backend",
    default="",
    metavar="NAME",
    help="Let this backend give the reply, just once; a hosted one is sent the conversation.",
)
@visit_options
@usual_options
def command(
    text: str | None, backend: str, place: str, keep: str, *, resume: bool, fresh: bool, drop: bool
) -> None:
    """Send one message and print the reply as it arrives. TEXT may be `-` for standard input.

    Ctrl-C ends the reply; the part that came is kept. With --at, she answers as she was then, on a
    scratch branch; afterwards you are back where you were.
    """
    if resume == (text is not None):
        raise click.UsageError("give TEXT, or --resume without one")
    said = read_text().rstrip("\n") if text == "-" else text
    if said is not None and not said.strip():
        raise click.UsageError("TEXT is empty")
    from perdure.cli.chat.turn import run_turn

    def begin(session: Session) -> AsyncIterator[Event]:
        if fresh:
            session.new_conversation()
        return session.resume() if said is None else session.send(said)

    path = companion_to_talk_to()
    with visited(path, place, keep=keep, drop=drop):
        code = run_turn(path, begin, backend)
    sys.exit(code)
