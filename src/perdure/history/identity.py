"""Who git thinks is sitting here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from perdure.history import user_config
from perdure.history.commits import Author


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

    return Path(default_user_ignore_filter_path(user_config.read())).expanduser()


def _users(git_dir: Path | None) -> dict[str, str]:
    """The identity of the user's own configuration."""
    found: dict[str, str] = {}
    stack = user_config.read(git_dir)
    for key in ("name", "email"):
        for section in ("author", "user"):
            with contextlib.suppress(KeyError):
                value = stack.get((section.encode(),), key.encode())
                found.setdefault(key, value.decode("utf-8", "replace"))
    return found
