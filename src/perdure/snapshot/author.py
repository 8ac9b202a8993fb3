"""Who a commit is by, the human or the companion herself, and on which device."""

from __future__ import annotations

from perdure.companion.names import companion_email, slug
from perdure.git.host import device_name
from perdure.git.repository.repository import Author, Repository


def author_of(name: str) -> Author:
    """The author for a name: a companion, or a user whom git does not know."""
    return Author(name, companion_email(slug(name)))


def human_of(repo: Repository, user: str) -> Author:
    """The human as an author: git's identity, else the companion's user."""
    return repo.human() or author_of(user)


def device() -> str:
    """The device's name as file names and branches have it."""
    return slug(device_name()) or "this-device"
