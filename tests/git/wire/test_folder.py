"""A remote in a folder, written without git: it takes only what is whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perdure.git.errors import StorageFull
from perdure.git.packs.delta import full_entry
from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.wire.errors import PackRefused
from perdure.git.wire.folder import FolderTransport
from perdure.git.wire.transport import PushOrder
from tests.conftest import git, no_room
from tests.git.wire.histories import history, refs, tip
from tests.git_servers import bare_repository


def pack_without(path: Path, left_out: str) -> OutgoingPack:
    """All of a history but one object."""
    entries = []
    for row in git(path, "rev-list", "--objects", "main").splitlines():
        oid = row[:40]
        kind = git(path, "cat-file", "-t", oid).strip()
        words = ["git", "-C", str(path), "cat-file", kind, oid]
        data = subprocess.run(words, capture_output=True, check=True).stdout
        if oid != left_out:
            entries.append((bytes.fromhex(oid), full_entry(kind.encode(), data)))
    return OutgoingPack(len(entries), iter(entries))


@pytest.mark.parametrize("left_out", ["main^{tree}", "main~1", "main:chat.md", "main~2^{tree}"])
def test_a_pack_that_lacks_something_is_refused(left_out: str, tmp_path: Path) -> None:
    here = history(tmp_path / "here", 3)
    place = bare_repository(tmp_path)
    order = PushOrder({"refs/heads/main": tip(here)}, pack_without(here, tip(here, left_out)))
    with pytest.raises(PackRefused, match="not whole"):
        FolderTransport(place).push(lambda _: order, print)
    assert refs(place) == {}
    assert git(place, "cat-file", "--batch-all-objects", "--batch-check") == ""
    order = PushOrder({"refs/heads/main": tip(here)}, pack_without(here, ""))
    assert FolderTransport(place).push(lambda _: order, print).refused == {}
    git(place, "fsck", "--full", "--strict")


def test_a_disk_that_is_full_there_is_said_to_be_that_one(tmp_path: Path) -> None:
    here = history(tmp_path / "here", 3)
    place = bare_repository(tmp_path)
    order = PushOrder({"refs/heads/main": tip(here)}, pack_without(here, ""))
    with no_room(), pytest.raises(StorageFull, match=f"the disk that has {place} is full"):
        FolderTransport(place).push(lambda _: order, print)
    assert refs(place) == {}
