"""A small JSON file for each remote in a folder of the state folder.

Losing one costs nothing that was said. What it says is about one address, and counts for no other.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from perdure.git import disk
from perdure.git.errors import storage_errors

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.git.state.folder import StateFolder

_MOST = 16 * 1024 * 1024


class AboutRemote(Protocol):
    """A record that says which address it is about."""

    @property
    def url(self) -> str:
        """The address."""
        ...


AboutOne = TypeVar("AboutOne", bound=AboutRemote)


def read_about(
    state: StateFolder, folder: str, name: str, url: str, kind: type[AboutOne]
) -> AboutOne | None:
    """What a file says; None where there is none, or it is about another address."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, RecursionError):
        if state.is_own():
            data = disk.read_file(_path(state, folder, name), most=_MOST)
            found = msgspec.json.decode(data, type=kind)
            if found.url == url:
                return found
    return None


def write_about(repo: Repository, folder: str, name: str, record: AboutRemote) -> None:
    """Keep a record. Raises StorageFull, ReadOnly, WriteFailed."""
    with storage_errors(f"noting what is known of {name}"):
        repo.state.own()
        path = _path(repo.state, folder, name)
        disk.make_folder(path.parent)
        disk.replace_file(path, msgspec.json.encode(record), synced=True)


def drop_about(repo: Repository, folder: str, name: str) -> None:
    """Forget a remote that is gone."""
    _path(repo.state, folder, name).unlink(missing_ok=True)


def _path(state: StateFolder, folder: str, name: str) -> Path:
    return state.path / folder / f"{name}.json"
