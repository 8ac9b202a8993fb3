"""Which companion a command means, and where companions live.

In order: ``-c``, ``PERDURE_COMPANION``, the companion repository one stands in, the only one there
is; else an error that lists them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from perdure.cli.errors import UnknownCompanion

F = TypeVar("F", bound=Callable[..., object])
_MARK = "companion.yaml"


def home() -> Path:
    """The folder of companions: ``PERDURE_HOME``, else the platform's folder for user data."""
    chosen = os.environ.get("PERDURE_HOME")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("perdure") / "companions"


def companions() -> list[Path]:
    """The companions in `home`, by folder name."""
    folder = home()
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_companion(path))


def is_companion(path: Path) -> bool:
    """True for a git work tree with a companion.yaml."""
    return (path / _MARK).is_file() and (path / ".git").exists()


def chosen(name: str | None = None) -> Path:
    """The companion that is meant. Raises UnknownCompanion."""
    ctx = click.get_current_context(silent=True)
    named = name or (ctx.meta.get(__name__) if ctx else None)
    named = named or (ctx.find_root().obj if ctx else None) or os.environ.get("PERDURE_COMPANION")
    if named:
        return _by_name(str(named))
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_companion(folder):
            return folder
    found = companions()
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownCompanion(
            "there is no companion yet.", next_step="Make one with: perdure new NAME"
        )
    raise UnknownCompanion(
        f"several companions are here: {', '.join(path.name for path in found)}.",
        next_step="Say which one with: -c NAME",
    )


def _by_name(named: str) -> Path:
    from perdure.companion.names import slug

    path = Path(named).expanduser()
    if (os.sep in named or named in {".", ".."}) and path.is_dir():
        return path.resolve()
    for found in companions():
        if found.name in (named, slug(named)):
            return found
    if path.is_dir() and is_companion(path):
        return path.resolve()
    others = ", ".join(found.name for found in companions())
    raise UnknownCompanion(
        f"there is no companion {named!r}.",
        next_step=f"There are: {others}" if others else "Make one with: perdure new NAME",
    )


def companion_option(command: F) -> F:
    """``-c`` behind the command, as well as before it."""

    def remember(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value:
            ctx.meta[__name__] = value

    return click.option(
        "-c",
        "--companion",
        metavar="NAME|PATH",
        expose_value=False,
        callback=remember,
        shell_complete=complete_names,
        help="Which companion is meant.",
    )(command)


def complete_names(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[str]:
    """Folder names of companions, for the shell's completion."""
    return [path.name for path in companions() if path.name.startswith(incomplete)]
