"""What is known of a restore from each remote: one small file a remote in the state folder.

A proof says which tips a restore has brought back whole. It holds for exactly these, whatever the
clock says; losing it costs another drill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from perdure.git.remotes.record_file import drop_about, read_about, write_about

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_FOLDER = "drills"


class Proof(msgspec.Struct, frozen=True):
    """A restore that worked.

    Attributes:
        at: when, in seconds since 1970, by this machine's clock.
        tips: per ref of the remote the id that came back.
        covers: commits of this machine with all of whose past it came back.
        turns: per branch, by full ref name, the turns that were counted.
        full_at: when all of it was last restored, and not only what was new.
        newest: commit time of the newest commit among the tips, in seconds since 1970.
        spoke: backends through which the restored companion has spoken.
    """

    at: float
    tips: dict[str, str]
    covers: list[str]
    turns: dict[str, int]
    full_at: float
    newest: float = 0.0
    spoke: tuple[str, ...] = ()


class DrillRecord(msgspec.Struct, frozen=True):
    """What drills have found out about one remote.

    Attributes:
        url: the address that all of this is about.
        proof: the last restore that worked; None: there was none, or a later one failed.
        failure: why no restore is possible, as the last drill found; "" where that is not so.
        tried_at: when the last drill ended, in seconds since 1970.
        report: what the last drill reported, as plain data.
    """

    url: str
    proof: Proof | None = None
    failure: str = ""
    tried_at: float | None = None
    report: dict[str, Any] = {}


def read_drills(repo: Repository, name: str, url: str) -> DrillRecord:
    """The record of a remote; an empty one where there is none, or for another address."""
    return read_about(repo.state, _FOLDER, name, url, DrillRecord) or DrillRecord(url)


def write_drills(repo: Repository, name: str, record: DrillRecord) -> None:
    """Keep a record. Raises StorageFull, ReadOnly, WriteFailed."""
    write_about(repo, _FOLDER, name, record)


def drop_drills(repo: Repository, name: str) -> None:
    """Forget a remote that is gone."""
    drop_about(repo, _FOLDER, name)
