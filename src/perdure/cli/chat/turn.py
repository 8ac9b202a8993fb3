"""One turn on the command line: the reply to stdout, everything else to stderr."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Self

import click

from perdure.chat.events import (
    Event,
    Failed,
    ReplyPiece,
    Saved,
)
from perdure.chat.session import Session
from perdure.cli.options import given
from perdure.cli.render.output import as_json, print_line
from perdure.companion.turns import Turn
from perdure.errors import one_line
from perdure.interrupts import run_coroutine
from perdure.notice import Notice
from perdure.terminal.sanitise import Sanitiser

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a program to end."""


def run_turn(path: Path, begin: Callable[[Session], AsyncIterator[Event]], backend: str) -> int:
    """Run the turn that ``begin`` starts in an open session. Returns 0 for a whole reply.

    ``backend`` gives this one reply; empty for the one listed first.
    """
    return run_coroutine(_run(path, begin, backend))


async def _run(path: Path, begin: Callable[[Session], AsyncIterator[Event]], backend: str) -> int:
    session = await Session.open(path)
    try:
        notices = list(session.notices)
        if backend:
            notices += (await session.speak_next(backend)).notices
        for notice in notices:
            print_line(notice.text, err=True)
        events = begin(session)
        with stopping_on_interrupt(session):
            saved, failed = await _tell(events, quiet=given("--json"))
        as_json(_record(saved, failed))
        if failed is not None or saved is None:
            return 1
        if _is_whole(saved.turn):
            return 0
        print_line(f"perdure: {one_line(*_stopped(saved.turn))}", err=True)
        return 1
    finally:
        await session.close()


def _is_whole(turn: Turn) -> bool:
    return bool(turn.replies) and not any(reply.interrupted for reply in turn.replies)


def _stopped(turn: Turn) -> tuple[str, str, str]:
    """What to say about a reply that was stopped from outside."""
    if turn.replies:
        return "stopped", "The part of the reply that came is kept, marked as interrupted", ""
    return "stopped", "Your message is kept, unanswered", "Ask again with: perdure say --resume"


async def _tell(events: AsyncIterator[Event], *, quiet: bool) -> tuple[Saved | None, Failed | None]:
    clean = Sanitiser()
    saved, failed, spoke, open_line = None, None, False, False
    async for event in events:
        if isinstance(event, ReplyPiece):
            spoke = open_line = True
            if not quiet:
                click.echo(clean.feed(event.text), nl=False)
        elif isinstance(event, Notice):
            if open_line and not quiet:
                # On a terminal both streams are one: the notice begins a line of its own.
                click.echo(clean.end())
            open_line = False
            print_line(event.text, err=True)
        elif isinstance(event, Saved):
            saved = event
            if not spoke and event.turn.number == 0 and not quiet:
                # A greeting is there at once: no pieces of it come.
                click.echo(clean.feed(event.turn.replies[0].text) + clean.end())
        elif isinstance(event, Failed):
            failed = event
    if open_line and not quiet:
        click.echo(clean.end())
    if failed is not None and not quiet:
        print_line(f"perdure: {failure_line(failed)}", err=True)
    return saved, failed


def failure_line(failed: Failed) -> str:
    """What happened, what was kept, what to do next, on one line."""
    return one_line(failed.what, failed.kept, failed.next_step)


class stopping_on_interrupt:  # noqa: N801 - reads as what it does in a with statement
    """While entered, Ctrl-C stops the reply instead of the program.

    SIGTERM, and SIGHUP of a terminal that is closed, end both: the reply is committed as far as it
    came, and whoever entered this looks at ``ends`` and leaves.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ends = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._before = signal.getsignal(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, self._session.stop)
        for number in ENDINGS:
            loop.add_signal_handler(number, self._end)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, *ENDINGS):
            asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(signal.SIGINT, self._before)

    def _end(self) -> None:
        self.ends = True
        self._session.stop()


def _record(saved: Saved | None, failed: Failed | None) -> dict[str, object]:
    record: dict[str, object] = {"turn": None, "commit": None, "replies": [], "failed": None}
    if saved is not None:
        record["turn"], record["commit"] = str(saved.turn_id), saved.commit
        record["replies"] = [
            {
                "speaker": reply.speaker,
                "text": reply.text,
                "interrupted": reply.interrupted,
                "backend": reply.backend,
                "model": reply.model,
                "stand_in": reply.stand_in,
            }
            for reply in saved.turn.replies
        ]
    if failed is not None:
        record["failed"] = asdict(failed)
    return record
