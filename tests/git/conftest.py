from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perdure.git.leases import Lease
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository

Git = Callable[..., str]

FILES = {
    "companion.yaml": b"format: 1\n",
    ".gitattributes": b"* -text\n",
    "persona/10-who.md": b"I am Mira.\n",
    "persona/20-voice.md": b"Short sentences.\n",
}


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git as on a fresh machine, with an identity; nobody's own configuration leaks in."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ana")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ana@example.org")


@pytest.fixture
def mira() -> Author:
    return Author("Mira", "mira@companion.invalid")


@pytest.fixture
def repo(tmp_path: Path, mira: Author) -> Iterator[Repository]:
    made = create_repository(tmp_path / "mira", FILES, message="companion: begin", author=mira)
    yield made
    made.close()


def taken(repo: Repository, conversation: str) -> Lease:
    """The right to append to a conversation, which nobody else has."""
    hand = repo.acquire(conversation)
    assert hand is not None
    return hand


@pytest.fixture
def git(repo: Repository) -> Git:
    def run(*words: str, check: bool = True, data: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(repo.path), *words], capture_output=True, input=data, check=False
        )
        said = done.stdout.decode("utf-8", "surrogateescape")
        if check and done.returncode:
            raise AssertionError(f"git {words}: {said}{done.stderr.decode()}")
        return said

    return run


@pytest.fixture
def sound(git: Git) -> Callable[[], None]:
    """Asserts that git finds nothing wrong and nothing to do."""

    def check() -> None:
        problems = git("fsck", "--full", "--strict").splitlines()
        assert [line for line in problems if "dangling" not in line] == []
        assert git("status", "--porcelain") == ""

    return check
