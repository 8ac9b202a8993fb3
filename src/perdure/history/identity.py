"""Who git thinks is sitting here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from perdure.git.objects.commit import Author


def human(repository: Mapping[str, str]) -> Author | None:
    """Git's identity: environment, then the repository's configuration, then the user's.

    Args:
        repository: the repository's own configuration.

    Returns:
        Name and e-mail, or None where git would ask for them: a guess from the host's name is not
        an identity.
    """
    name = os.environ.get("GIT_AUTHOR_NAME") or repository.get("author.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or repository.get("author.email")
    name = name or repository.get("user.name")
    email = email or repository.get("user.email")
    if not (name and email):
        users = _users()
        name = name or users.get("name")
        email = email or users.get("email") or os.environ.get("EMAIL")
    return Author(name, email) if name and email else None


def users_ignored() -> Path:
    """The user's own file of ignore rules: ``core.excludesFile``, else git's usual place.

    A repository's own setting is not followed: it could name any file of the machine.
    """
    from dulwich.config import StackedConfig

    with contextlib.suppress(OSError, ValueError, KeyError):
        named = StackedConfig.default().get((b"core",), b"excludesfile")
        return Path(os.fsdecode(named)).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "git" / "ignore"


def _users() -> dict[str, str]:
    """The identity of the user's own configuration; dulwich follows its includes."""
    from dulwich.config import StackedConfig

    found: dict[str, str] = {}
    try:
        stack = StackedConfig.default()
    except (OSError, ValueError):
        return found
    for key in ("name", "email"):
        for section in ("author", "user"):
            try:
                value = stack.get((section.encode(),), key.encode())
            except KeyError:
                continue
            found.setdefault(key, value.decode("utf-8", "replace"))
    return found
