"""The user's own git configuration, as dulwich reads it: of the system, the user, and this call.

Includes are followed, those by folder (``includeIf "gitdir:…"``) for a repository that is named.
What a file may be is bounded: a pipe or an endless device in an include would be waited for. A file
that git itself would refuse counts as empty.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.objects.commit import Author
from perdure.git.wildmatch import Pattern

if TYPE_CHECKING:
    from dulwich.config import ConfigFile, StackedConfig

MOST_BYTES = 4 * 1024 * 1024
"""Of all files together."""


def read_user_config(git_dir: Path | None = None) -> StackedConfig:
    """The configuration beside a repository's own, the strongest first.

    Args:
        git_dir: of the repository that it is asked for; None: of none.
    """
    from dulwich.config import ConfigFile, StackedConfig, env_config

    found: list[ConfigFile] = []
    with suppress(ValueError, KeyError):
        of_this_call = env_config(os.environ)
        found += [of_this_call] if of_this_call is not None else []
    opened = _Opener()
    matchers = {
        "gitdir:": _is_of(git_dir, folded=False),
        "gitdir/i:": _is_of(git_dir, folded=True),
    }
    for path in _paths():
        with suppress(OSError, ValueError):
            found.append(
                ConfigFile.from_path(path, file_opener=opened, condition_matchers=matchers)
            )
    return StackedConfig(found)


def _paths() -> Iterator[str]:
    """The files of the user and of the system (git-config(1), FILES)."""
    from dulwich.config import get_xdg_config_home_path

    own = os.environ.get("GIT_CONFIG_GLOBAL")
    yield from (
        [str(Path("~/.gitconfig").expanduser()), get_xdg_config_home_path("git", "config")]
        if own is None
        else [own]
    )
    if os.environ.get("GIT_CONFIG_NOSYSTEM", "").lower() not in {"1", "true", "yes", "on"}:
        yield os.environ.get("GIT_CONFIG_SYSTEM", "/etc/gitconfig")


class _Opener:
    """Opens plain files, up to a total size."""

    def __init__(self) -> None:
        self._left = MOST_BYTES

    def __call__(self, path: str | os.PathLike[str]) -> io.BytesIO:
        # The user may have put a link in the place of a file of his own.
        data = disk.read_file(os.path.realpath(path), most=self._left)
        self._left -= len(data)
        return io.BytesIO(data)


def _is_of(git_dir: Path | None, *, folded: bool) -> Callable[[str], bool]:
    """Whether a pattern of ``includeIf`` means a repository (git-config(1), Conditional includes).

    One that begins with ``./`` is relative to its file, of which dulwich does not tell: it means
    none.
    """

    def matches(pattern: str) -> bool:
        if git_dir is None or pattern.startswith("./"):
            return False
        if pattern.startswith("~/"):
            pattern = str(Path.home()) + pattern[1:]
        elif not pattern.startswith("/"):
            pattern = f"**/{pattern}"
        if pattern.endswith("/"):
            pattern += "**"
        known = Pattern(os.fsencode(pattern), folded=folded)
        return any(
            known.matches(os.fsencode(path).lower() if folded else os.fsencode(path))
            for path in (os.path.realpath(git_dir), os.path.abspath(git_dir))  # noqa: PTH100 - links stay
        )

    return matches


def human(repository: Mapping[str, str], git_dir: Path | None = None) -> Author | None:
    """Git's identity: environment, then the repository's configuration, then the user's.

    Args:
        repository: the repository's own configuration.
        git_dir: where it is, since users may have one identity for some folders and another.

    Returns:
        Name and e-mail, or None where git would ask for them: a guess from the host's name is not
        an identity.
    """
    name = os.environ.get("GIT_AUTHOR_NAME") or repository.get("author.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or repository.get("author.email")
    name = name or repository.get("user.name")
    email = email or repository.get("user.email")
    if not (name and email):
        users = _users(git_dir)
        name = name or users.get("name")
        email = email or users.get("email") or os.environ.get("EMAIL")
    return Author(name, email) if name and email else None


def users_ignored() -> Path:
    """The user's own file of ignore rules: ``core.excludesFile``, else git's usual place.

    A repository's own setting is not followed: it could name any file of the machine.
    """
    from dulwich.ignore import default_user_ignore_filter_path

    return Path(default_user_ignore_filter_path(read_user_config())).expanduser()


def _users(git_dir: Path | None) -> dict[str, str]:
    """The identity in the user's own configuration."""
    found: dict[str, str] = {}
    stack = read_user_config(git_dir)
    for key in ("name", "email"):
        for section in ("author", "user"):
            with suppress(KeyError):
                value = stack.get((section.encode(),), key.encode())
                found.setdefault(key, value.decode("utf-8", "replace"))
    return found
