"""Whose a repository is, by git's own rule: `ensure_valid_ownership` in git's setup.c.

What lies in a git folder is obeyed: where the work tree is, what a crash left to be done. So a
folder that another user of the machine owns is not opened (CVE-2022-24765), unless the user has
named it in ``safe.directory``, for git and perdure alike.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from perdure.git.config import user as user_config
from perdure.git.errors import NotOwned


def check_owner(work: Path, places: Iterable[Path]) -> None:
    """Refuse a repository of somebody else.

    Args:
        work: root of the work tree: what ``safe.directory`` names.
        places: work tree, ``.git`` and git folders; of a link its own owner counts, as for git.

    Raises:
        NotOwned: one of them belongs to another user.
    """
    for place in places:
        owner = place.lstat().st_uid
        if not _is_ours(owner):
            if _is_safe(os.path.realpath(work)):
                return
            raise NotOwned(
                f"{place} belongs to {_user(owner)}, not to you, and a companion's folder can name "
                "other files and programs",
                "nothing in it was read or changed",
                "Make a companion of your own from it: perdure adopt "
                f"{shlex.quote(os.path.realpath(work))}; or, if you trust whoever made it: git "
                f"config --global --add safe.directory {shlex.quote(os.path.realpath(work))}",
            )


def _is_ours(owner: int) -> bool:
    """Git's `is_path_owned_by_current_uid`: root, and through sudo also who called it."""
    user = os.geteuid()
    if user == 0:
        if owner == 0:
            return True
        called = os.environ.get("SUDO_UID", "")
        if called.isascii() and called.isdecimal():
            user = int(called)
    return owner == user


def _user(number: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except (KeyError, OverflowError):
        return f"another user (number {number})"


def _is_safe(work: str) -> bool:
    """Whether ``safe.directory`` names the work tree. The last word counts; an empty one resets."""
    is_safe = False
    for value in _safe_directories():
        if not value:
            is_safe = False
        elif value == "*":
            is_safe = True
        else:
            is_safe = is_safe or _matches(value, work)
    return is_safe


def _matches(value: str, work: str) -> bool:
    """Whether a path of ``safe.directory`` is the work tree or, with ``/*``, a folder above it."""
    path = os.path.expanduser(value)  # noqa: PTH111 (git's own syntax: "~/", "~user/")
    above = path.endswith("/*")
    if above:
        path = path.removesuffix("*")
    if value != "." and not os.path.isabs(path):  # noqa: PTH117 (a text, "." among them)
        return False
    with suppress(OSError, ValueError):
        real = os.path.realpath(path)
        return work.startswith(real.rstrip("/") + "/") if above else work == real
    return False


def _safe_directories() -> Iterator[str]:
    """All values in git's order: system, user, command line. Never the repository's own."""
    for scope in reversed(user_config.read_user_config().backends):
        with suppress(KeyError):
            for named in scope.get_multivar((b"safe",), b"directory"):
                yield os.fsdecode(named)
    # What `git -c` puts into the environment for the commands that it calls.
    with suppress(ValueError):
        for word in shlex.split(os.environ.get("GIT_CONFIG_PARAMETERS", "")):
            key, _, value = word.partition("=")
            if key.lower() == "safe.directory":
                yield value
