from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from perdure.git.repository.repository import Author, Change, Repository
from tests.git.conftest import taken

Git = Callable[..., str]
TALK = "2026-11-22-1803-9f3a77c0"
CHUNK = f"conversations/2026-11/22/{TALK}.md"


def write(repo: Repository, text: bytes) -> str:
    mira = Author("Mira", "mira@companion.invalid")
    repo.commit([Change(CHUNK, text)], message="turn: x", author=mira, branch="main")
    oid = repo.oid(CHUNK)
    assert oid is not None
    return oid


def test_what_was_written_here_last_fits(repo: Repository) -> None:
    with taken(repo, TALK) as hand:
        assert not hand.matches("main", CHUNK, None)
        oid = write(repo, b"one")
        assert not hand.matches("main", CHUNK, oid)
        hand.renew("main", CHUNK, oid)
        assert hand.matches("main", CHUNK, oid)
        assert not hand.matches("side", CHUNK, oid)
        assert not hand.matches("main", CHUNK + "x", oid)
        assert not hand.matches("main", CHUNK, None)
    with Repository.open(repo.path) as again, taken(again, TALK) as hand:
        assert hand.matches("main", CHUNK, again.oid(CHUNK))


def test_one_hand_only(repo: Repository) -> None:
    hand = repo.acquire(TALK)
    assert hand is not None
    script = (
        "import sys; from perdure.git.repository.repository import Repository\n"
        "print(Repository.open(sys.argv[1]).acquire(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, str(repo.path), TALK]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"None\n"
    with Repository.open(repo.path) as other:
        assert other.acquire(TALK) is None
        assert other.acquire("another/../one \0") is not None
    hand.release()
    assert b"Lease" in subprocess.run(command, check=True, capture_output=True).stdout


def test_copies_resets_and_other_machines_do_not_fit(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repo, b"one")
    with taken(repo, TALK) as hand:
        hand.renew("main", CHUNK, write(repo, b"one two"))
    copy = repo.path.with_name("copy")
    shutil.copytree(repo.path, copy)
    with Repository.open(copy) as there, taken(there, TALK) as hand:
        assert not hand.matches("main", CHUNK, there.oid(CHUNK)), "a copied folder"
    with monkeypatch.context() as patch:
        patch.setattr("perdure.git.leases.machine", lambda: "another")
        with taken(repo, TALK) as hand:
            assert not hand.matches("main", CHUNK, repo.oid(CHUNK)), "another machine"
    git("reset", "-q", "--hard", "HEAD~1")
    with taken(repo, TALK) as hand:
        assert not hand.matches("main", CHUNK, repo.oid(CHUNK)), "after a reset"


def test_a_torn_lease_does_not_fit(repo: Repository) -> None:
    oid = write(repo, b"one")
    with taken(repo, TALK) as hand:
        hand.renew("main", CHUNK, oid)
    lease = repo.state_dir / "leases" / TALK
    lease.write_bytes(lease.read_bytes()[:-9])
    with taken(repo, TALK) as hand:
        assert not hand.matches("main", CHUNK, oid)
