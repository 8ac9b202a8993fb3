"""Which companion a command is about, and where companions live.

In order: ``-c``, ``PERDURE_COMPANION``, the companion's folder one stands in, the only companion
there is; else an error that lists them. A companion whose companion.yaml, or whose branch, is
missing is one all the same: what is said in its folder goes to no other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.errors import LostCompanion, UnknownCompanion
from perdure.cli.options import Command, json_option

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.git.repository.repository import Repository

_MARK = "companion.yaml"
_PARTS = ("persona", "conversations", "memory", "backends")


@dataclass(frozen=True, slots=True)
class FoundCompanion:
    """A companion's folder. ``by_default``: nobody named it, and it is the only one."""

    path: Path
    by_default: bool = False


def home() -> Path:
    """The folder of companions: ``PERDURE_HOME``, else in the user's data folder."""
    chosen_companion = os.environ.get("PERDURE_HOME")
    if chosen_companion:
        return Path(chosen_companion).expanduser()
    from platformdirs import user_data_path

    return user_data_path("perdure") / "companions"


def companions() -> list[Path]:
    """The companions in `home`, by folder name; what begins with a dot is on its way there."""
    try:
        found = [path for path in home().iterdir() if not path.name.startswith(".")]
        return sorted(path for path in found if is_companion(path))
    except OSError:
        return []


def is_companion(path: Path) -> bool:
    """Whether a folder is a companion's, even without its companion.yaml or branch."""
    try:
        if (path / _MARK).is_file():
            return (path / ".git").exists() or any((path / part).is_dir() for part in _PARTS)
        if not (path / ".git").exists() and not (path / "HEAD").is_file():
            return False
    except OSError:
        return False
    from perdure.git.repository.lost_file import is_known

    try:
        return is_known(path, _MARK)
    except Exception:  # noqa: BLE001 - whoever looks at it then says what is wrong
        return True


def find_companion(name: str | None = None) -> FoundCompanion:
    """The companion meant, whatever its state. Raises UnknownCompanion."""
    ctx = click.get_current_context(silent=True)
    named = name or (ctx.meta.get(__name__) if ctx else None)
    named = named or (ctx.find_root().obj if ctx else None) or os.environ.get("PERDURE_COMPANION")
    if named:
        return FoundCompanion(_by_name(str(named)))
    standing_in = _around(_here())
    if standing_in is not None:
        return FoundCompanion(standing_in)
    found = companions()
    if len(found) == 1:
        return FoundCompanion(found[0], by_default=True)
    if not found:
        raise UnknownCompanion(
            "there is no companion yet.", next_step="Create one with: perdure new NAME"
        )
    raise UnknownCompanion(
        f"there are several companions: {', '.join(path.name for path in found)}.",
        next_step="Choose one with: -c NAME",
    )


def chosen_companion(name: str | None = None, *, lacking: bool = False) -> Path:
    """The folder of the companion meant.

    Args:
        name: of the companion, before all else that names one.
        lacking: a folder without companion.yaml will do, as long as a commit is checked out.

    Raises:
        UnknownCompanion: none is meant.
        LostCompanion: its companion.yaml or its branch is missing; says the way back.
    """
    path = find_companion(name).path
    check_whole(path, lacking=lacking)
    return path


def open_workspace(*, lacking: bool = False, reading: bool = False) -> Workspace:
    """The companion meant, opened to be acted on; ``lacking`` as in `chosen_companion`."""
    from perdure.actions.workspace import Workspace

    path = chosen_companion(lacking=lacking)
    return Workspace.open(path if reading else announced(path), reading=reading)


def announced(path: Path) -> Path:
    """The folder, after saying what the first change to it does, where that concerns all of git.

    Raises:
        UnsupportedRepository: nothing can be changed there.
    """
    if (path / ".git" / "reftable").is_dir():
        from perdure.cli.render.output import print_line
        from perdure.git.repository.repository import Repository
        from perdure.views.git_warnings import conversion_notice

        with Repository.open(path, recover=False) as repo:
            for notice in conversion_notice(repo):
                print_line(notice.text, err=True)
    return path


def open_repository(*, lacking: bool = False) -> Repository:
    """The repository of the companion meant, opened to be read."""
    from perdure.git.repository.repository import Repository

    return Repository.open(chosen_companion(lacking=lacking), recover=False)


def companion_to_talk_to(name: str | None = None) -> Path:
    """`chosen_companion`, naming it on stderr if the user did not."""
    from perdure.cli.render.output import print_line

    found = find_companion(name)
    check_whole(found.path)
    if found.by_default:
        print_line(f"To {found.path.name}, the only companion in {found.path.parent}.", err=True)
    return found.path


def check_whole(path: Path, *, lacking: bool = False) -> None:
    """Raise LostCompanion if the folder lacks a companion.yaml or a repository."""
    has_git = (path / ".git").exists()
    if (path / _MARK).is_file() and has_git:
        return
    if not is_companion(path):
        return
    if (path / _MARK).is_file():
        raise LostCompanion(
            f"{path} has a companion's files, but no git repository",
            "nothing was changed",
            "Restore its .git folder from a backup, or choose another companion with: -c NAME",
        )
    from perdure.git.errors import HistoryError
    from perdure.git.repository.lost_file import way_back

    try:
        back = way_back(path, _MARK)
    except HistoryError as problem:
        raise LostCompanion(
            f"{path} is a companion that cannot be opened: {problem.what}",
            problem.kept or "nothing was changed",
            problem.next_step,
        ) from problem
    if back is not None and not (lacking and has_git and back.has_commit):
        raise LostCompanion(back.what, "nothing was changed", back.next_step)


def _here() -> Path:
    """The current folder. Raises UnknownCompanion if it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UnknownCompanion(
            "the current folder is gone or cannot be read.",
            next_step="Go to another folder, or choose a companion with: -c NAME",
        ) from error


def _around(here: Path) -> Path | None:
    """The companion's folder that contains ``here``, or is it."""
    return next((folder for folder in (here, *here.parents) if is_companion(folder)), None)


def _by_name(named: str) -> Path:
    from perdure.companion.names import slug

    path = Path(named).expanduser()
    if (os.sep in named or named in {".", ".."}) and path.is_dir():
        whole = path.resolve()
        return _around(whole) or whole
    for found in companions():
        if found.name in (named, slug(named)):
            return found
    if path.is_dir() and is_companion(path):
        return path.resolve()
    others = ", ".join(found.name for found in companions())
    raise UnknownCompanion(
        f"there is no companion {named!r}.",
        next_step=f"There are: {others}" if others else "Create one with: perdure new NAME",
    )


def companion_option(command: Command) -> Command:
    """Accept ``-c`` after the command as well as before it."""

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
        help="The companion to use.",
    )(command)


def usual_options(command: Command) -> Command:
    """``-c`` and ``--json``."""
    return companion_option(json_option(command))


def complete_names(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[str]:
    """The folder names of companions, for shell completion."""
    return [path.name for path in companions() if path.name.startswith(incomplete)]
