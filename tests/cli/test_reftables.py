"""A companion whose clone keeps its refs in git's tables: what commands read and write."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Perdure
from tests.conftest import assert_sound, git
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


TOLD = "This clone keeps its branches in a table"
CHANGING = (
    ("branch", "again"),
    ("tag", "here"),
    ("switch", "elsewhere"),
    ("revert", "HEAD", "--yes"),
    ("rewind", "@-3"),
    ("memory", "add", "tea", "She likes tea."),
    ("persona", "add-boundaries"),
    ("edit", "@", "Other words.", "--reply"),
)


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_the_first_change_makes_files_of_the_table_and_says_so(
    perdure: Perdure, mira: Path, words: tuple[str, ...]
) -> None:
    refs = set(git(mira, "for-each-ref", "refs/tags").splitlines())
    into_tables(mira)
    done = perdure(*words)
    assert done.stderr.startswith(TOLD), done.stderr
    assert (mira / ".git/reftable").exists() == (done.returncode != 0), done.stderr
    if done.returncode == 0:
        assert refs <= set(git(mira, "for-each-ref", "refs/tags").splitlines())
        assert_sound(mira)
        assert TOLD not in perdure("tag", "later").stderr


@pytest.mark.model
def test_a_turn_makes_files_of_the_table_and_says_so(perdure: Perdure, mira: Path) -> None:
    into_tables(mira)
    done = perdure("say", "hello")
    assert (done.returncode, TOLD in done.stderr) == (0, True), done.stderr
    assert not (mira / ".git/reftable").exists()
    assert_sound(mira)


def test_with_other_work_trees_nothing_is_sent_and_nothing_changed(
    perdure: Perdure, mira: Path
) -> None:
    into_tables(mira)
    (mira / ".git/worktrees/studio").mkdir(parents=True)
    for words in (("say", "hello"), ("tag", "here"), ("memory", "add", "tea", "She likes tea.")):
        done = perdure(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert "studio" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("perdure: this clone")
    assert perdure("log").returncode == 0


def test_ids_of_another_kind_are_refused_with_a_way_that_works(
    perdure: Perdure, mira: Path, tmp_path: Path
) -> None:
    """The commands of the error, as they are printed, give a companion that opens."""
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", "other")
    other = tmp_path / "other"
    stream = git(mira, "fast-export", "--all")
    git(other, "fast-import", "--quiet", data=stream)
    git(other, "checkout", "-q", "main")
    done = perdure("-c", str(other), "log")
    assert done.returncode == 1
    said = done.stderr.partition("above it: ")[2].rstrip("\n")
    assert "SHA-256" in done.stderr
    script = said.replace("FOLDER", "other").replace("COPY", "copy")
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True, capture_output=True)
    turns = json.loads(perdure("-c", str(tmp_path / "copy"), "log", "--turns", "--json").stdout)
    assert len(turns) == 12
