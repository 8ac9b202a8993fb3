"""Questions on a terminal. They go to stderr, so that what is printed can be piped.

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
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def missing_answer(option: str, what: str) -> NoReturn:
    """The usage error for an answer that nobody can be asked for."""
    raise click.UsageError(f"{what} is missing, and there is no terminal to ask on. Give {option}")


def ask(text: str, default: str = "") -> str:
    """One line; ``default``, which is shown, for an empty one."""
    answer: str = click.prompt(
        sanitise(text), default=default, show_default=bool(default), err=True, type=str
    )
    return answer.strip()


def ask_hidden(text: str) -> str:
    """One line that is not shown while it is typed; may be empty."""
    answer: str = click.prompt(
        sanitise(text), default="", show_default=False, hide_input=True, err=True, type=str
    )
    return answer.strip()


def ask_yes_no(text: str, *, default: bool = False) -> bool:
    """A question with yes or no."""
    return click.confirm(sanitise(text), default=default, err=True)


def choose(text: str, rows: Sequence[tuple[str, str]], *, own: bool = False) -> str:
    """One of ``rows``, each a name and what is said of it, by its number or its name.

    With ``own``, a name that is not in the list is taken too. The first row is the default.
    """
    width = max(len(name) for name, _ in rows[:_SHOWN])
    for number, (name, about) in enumerate(rows[:_SHOWN], 1):
        print_line(f"  {number:>2}  {name.ljust(width)}  {about}".rstrip(), err=True)
    if len(rows) > _SHOWN:
        print_line(f"      and {len(rows) - _SHOWN} more, to be chosen by name", err=True)
    names = [name for name, _ in rows]
    while True:
        answer = ask(text, "1")
        if answer in names:
            return answer
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= min(len(rows), _SHOWN):
            return names[int(answer) - 1]
        if own and answer and not answer.isdigit():
            return answer
        print_line(f"There is no {answer!r} in the list; type a number or a name of it.", err=True)
