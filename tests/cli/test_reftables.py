"""A companion whose clone keeps its refs in git's tables: what commands read and write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Perdure
from tests.conftest import git
from tests.git.table_writer import into_tables
from tests.lives import make_life

READING = (
    ("list",),
    ("list", "--json"),
    ("log",),
    ("log", "--all"),
    ("show", "HEAD"),
    ("search", "tea"),
    ("why", "@"),
    ("diff", "HEAD~2"),
    ("blame", "persona/20-voice.md"),
    ("branch",),
    ("tag",),
    ("ops",),
    ("where",),
    ("persona", "show"),
    ("memory", "list"),
)


@pytest.fixture
def mira(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short life with branches and tags, whose refs are files."""
    home = tmp_path / "home"
    path = home / "mira"
    make_life(path, 12)
    git(path, "branch", "elsewhere", "HEAD~3")
    git(path, "tag", "before", "HEAD~2")
    monkeypatch.setenv("PERDURE_HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")
    return path


def test_reading_commands_say_the_same_as_before(perdure: Perdure, mira: Path) -> None:
    before = [perdure(*words) for words in READING]
    into_tables(mira)
    for words, earlier in zip(READING, before, strict=True):
        done = perdure(*words)
        assert (done.stdout, done.stderr, done.returncode) == (
            earlier.stdout,
            earlier.stderr,
            earlier.returncode,
        ), words
        assert earlier.returncode in {0, 3}, (words, earlier.stderr)
    assert not (mira / ".git/packed-refs").exists()
    assert (mira / ".git/refs/heads").is_file()
