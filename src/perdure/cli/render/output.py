"""Print sanitised lines for people and JSON for scripts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

import click

from perdure.cli.options import given
from perdure.terminal.glyphs import wants_colour
from perdure.terminal.sanitise import sanitise

T = TypeVar("T")


# json escapes C0 itself; outside of strings none of these can stand.
_ORDERS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def print_line(text: str = "", *, err: bool = False) -> None:
    """Print one or more lines, without anything that a terminal would obey."""
    click.echo(sanitise(text), err=err)


def emit_json(value: object) -> None:
    """Print one JSON document on stdout, indented by two, in UTF-8.

    What a terminal would obey stands there as JSON's own escapes, so that nothing is lost.
    """
    import json

    text = json.dumps(value, ensure_ascii=False, indent=2)
    text = _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    click.echo(text.encode("utf-8", "backslashreplace"))


def as_json(value: object) -> bool:
    """Print a value as JSON where ``--json`` asks for that; returns whether it does."""
    if given("--json"):
        emit_json(value)
        return True
    return False


def show_lines(lines: Iterable[str], nothing: str = "") -> None:
    """Print finished lines: through the pager on a terminal, directly elsewhere.

    Where there are none, ``nothing`` is printed on stderr.
    """
    found = iter(lines)
    first = next(found, None)
    if first is None:
        if nothing:
            print_line(nothing, err=True)
        return
    lines = chain((first,), found)
    if sys.stdout.isatty():
        # As git does: what fits on the screen is shown without stopping there.
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager(line + "\n" for line in lines)
        return
    for line in lines:
        click.echo(line)


def styled(text: str, fg: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """Sanitised text in a colour, if the terminal wants colour (``NO_COLOR`` is honoured)."""
    clean = sanitise(text)
    if sys.stdout.isatty() and wants_colour():
        # None leaves a style alone; False would write a code that turns it off.
        return click.style(clean, fg=fg, bold=bold or None, dim=dim or None)
    return clean


def print_styled(*pieces: str) -> None:
    """Print one line of `styled` pieces, colour kept; `styled` has sanitised them."""
    click.echo("".join(pieces))


@contextmanager
def progress_line(text: str) -> Iterator[None]:
    """Show a line on stderr while the block runs; nothing if stderr is no terminal."""
    shown = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if shown:
        click.echo(f"{sanitise(text)} …", nl=False, err=True)
    try:
        yield
    finally:
        if shown:
            click.echo("\r\033[K", nl=False, err=True)


def wait_for(text: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine under a `progress_line`; Ctrl-C cancels it.

    The line is shown from within the loop, where Ctrl-C is taken: whoever sees it may press.
    """
    from perdure.interrupts import run_coroutine

    async def shown() -> T:
        with progress_line(text):
            return await work()

    return run_coroutine(shown())
