"""Questions on a terminal, written to stderr so that output can be piped.

Without a terminal nobody is asked: what is missing is a usage error that names its option.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from perdure.cli.render.output import print_line
from perdure.terminal.sanitise import sanitise

_SHOWN = 40


def on_terminal() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def missing_answer(option: str, what: str) -> NoReturn:
    """The usage error for a question that cannot be asked."""
    raise click.UsageError(f"{what} is missing, and there is no terminal to ask on. Give {option}")


def ask(text: str, default: str = "") -> str:
    """Ask for one line; an empty answer gives ``default``, which is shown."""
    answer: str = click.prompt(
        sanitise(text), default=default, show_default=bool(default), err=True, type=str
    )
    return answer.strip()


def ask_hidden(text: str) -> str:
    """Ask for one line without showing it; it may be empty."""
    answer: str = click.prompt(
        sanitise(text), default="", show_default=False, hide_input=True, err=True, type=str
    )
    return answer.strip()


def ask_yes_no(text: str, *, default: bool = False) -> bool:
    """Ask a yes or no question."""
    return click.confirm(sanitise(text), default=default, err=True)


def check_editor(instead: str) -> None:
    """Raise UsageError without a terminal for an editor; ``instead``: what to do then."""
    if not on_terminal():
        raise click.UsageError(f"There is no terminal for an editor. {instead}")


def edit_text(old: str, instead: str) -> str | None:
    """Let the user edit a text; None where it was left as it is. Raises as `check_editor`."""
    check_editor(instead)
    edited = click.edit(old, extension=".md")
    return edited if edited != old else None


def choose(text: str, rows: Sequence[tuple[str, str]], *, own: bool = False) -> str:
    """Ask for one of ``rows`` (names and descriptions), by number or name.

    With ``own``, a name that is not in the list is taken too. The first row is the default.
    """
    width = max(len(name) for name, _ in rows[:_SHOWN])
    for number, (name, about) in enumerate(rows[:_SHOWN], 1):
        print_line(f"  {number:>2}  {name.ljust(width)}  {about}".rstrip(), err=True)
    if len(rows) > _SHOWN:
        print_line(f"      and {len(rows) - _SHOWN} more; choose one by name", err=True)
    names = [name for name, _ in rows]
    while True:
        answer = ask(text, "1")
        if answer in names:
            return answer
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= min(len(rows), _SHOWN):
            return names[int(answer) - 1]
        if own and answer and not answer.isdigit():
            return answer
        print_line(f"There is no {answer!r} in the list; type a number or name from it.", err=True)
