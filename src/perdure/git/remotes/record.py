"""What this device and a remote last agreed on, one small file a remote in the state folder.

Losing it costs nothing that was said: then nothing counts as taken away on either side, and a sync
brings together what both have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from perdure.git.remotes.record_file import drop_about, read_about, write_about

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.git.state.folder import StateFolder

_FOLDER = "remotes"


class Pause(msgspec.Struct, frozen=True):
    """Why syncing with a remote is paused.

    Attributes:
        reason: one sentence, with numbers.
        ref: the ref that it is about; "" for all.
        here: where that stood here.
        there: where it stood there.
    """

    reason: str
    ref: str = ""
    here: str | None = None
    there: str | None = None


class RemoteRecord(msgspec.Struct, frozen=True):
    """What is known of one remote.

    Attributes:
        url: the address that all of this is about.
        agreed: per ref the id that both sides had when they were last seen to have the same.
        synced_at: when that was, in seconds since 1970; None: never.
        pause: why it is paused; None: it is not.
        trouble: why the last try failed; "" when it worked.
        tried_at: when it was last tried.
        is_public_agreed: whether the user agreed that anybody can read it.
        checked_at: when history and place were last looked at before a push, in seconds since
            1970; None: never.
        added_at: when it was added here, in seconds since 1970; None: git added it.
    """

    url: str
    agreed: dict[str, str] = {}
    synced_at: float | None = None
    pause: Pause | None = None
    trouble: str = ""
    tried_at: float | None = None
    is_public_agreed: bool = False
    checked_at: float | None = None
    added_at: float | None = None

    @property
    def is_checked(self) -> bool:
        """Whether history and place were looked at before a push that worked."""
        return bool(self.agreed) and self.checked_at is not None

    def has(self, refs: Mapping[str, str]) -> bool:
        """Whether both sides were last seen to have all of these refs, as they are."""
        return all(self.agreed.get(ref) == oid for ref, oid in refs.items())


def read_record(repo: Repository, name: str, url: str) -> RemoteRecord:
    """The record of a remote; an empty one where there is none, or for another address."""
    return record_in(repo.state, name, url)


def record_in(state: StateFolder, name: str, url: str) -> RemoteRecord:
    """`read_record` of a repository that is not open."""
    return read_about(state, _FOLDER, name, url, RemoteRecord) or RemoteRecord(url)


def write_record(repo: Repository, name: str, record: RemoteRecord) -> None:
    """Keep a record. Raises StorageFull, ReadOnly, WriteFailed."""
    write_about(repo, _FOLDER, name, record)


def drop_record(repo: Repository, name: str) -> None:
    """Forget a remote that is gone."""
    drop_about(repo, _FOLDER, name)
