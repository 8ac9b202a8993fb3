"""Git settings and hooks of a companion's folder with which git would run programs: said once."""

from __future__ import annotations

import os

from perdure.chat.events import Notice
from perdure.chat.once import first_time
from perdure.history.repository import Repository

_MOST = 6


def odd_settings(repo: Repository) -> list[Notice]:
    """A notice for what was not said yet in this folder. perdure itself heeds none of it."""
    found = [*repo.odd_config(), *(f"hooks/{name}" for name in _hooks(repo))]
    fresh = [each for each in found if first_time(repo, "odd-git-said", each)]
    if not fresh:
        return []
    named = ", ".join(fresh[:_MOST]) + (f" and {len(fresh) - _MOST} more" * (len(fresh) > _MOST))
    return [
        Notice(
            f"git in this folder is set up to run programs or to read other files, or in ways not "
            f"known here: {named}. perdure heeds none of it, the git command does. If that is not "
            "your doing, look at .git/config and .git/hooks before you use git here.",
            "warning",
        )
    ]


def _hooks(repo: Repository) -> list[str]:
    """Hooks that git would run: files with the executable bit, without an ending."""
    folder = repo.git_dir / "hooks"
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if os.access(each.path, os.X_OK)]
    except OSError:
        return []
    return sorted(name for name in names if not name.endswith(".sample"))
