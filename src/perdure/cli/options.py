"""Options of many commands: `given` tells whether one was given, so that none is handed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


def given(option: str) -> bool:
    """Whether the command that runs was given one of the options below."""
    return bool(click.get_current_context().meta.get(f"{__name__}{option}"))


def flag(option: str, *more: str, about: str) -> Callable[[Command], Command]:
    """An option for `given`."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
        ctx.meta[f"{__name__}{option}"] = value

    return click.option(
        option, *more, is_flag=True, expose_value=False, callback=remember, help=about
    )


json_option = flag("--json", about="Print JSON.")
dry_run_option = flag("--dry-run", about="Show what it would do, and change nothing.")
yes_option = flag("--yes", "-y", about="Do it without asking.")
