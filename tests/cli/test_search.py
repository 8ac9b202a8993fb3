"""Searching the whole life as a user does: by the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from perdure.git.disk import KernelLock
from tests.cli.conftest import Perdure
from tests.conftest import git
from tests.recall.recall_eval import make_companion, read_dialogue

FIXTURES = Path(__file__).parents[1] / "recall" / "fixtures"


@pytest.fixture
def nora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A year of talk, which the commands are about."""
    path = tmp_path / "nora"
    make_companion(path, read_dialogue(FIXTURES / "talk_en.txt")).close()
    monkeypatch.setenv("PERDURE_COMPANION", str(path))
    monkeypatch.setenv("TZ", "UTC")
    return path


def test_search_shows_moments_with_date_id_and_marks(perdure: Perdure, nora: Path) -> None:
    found = perdure("search", "green", "bike", "-n", "2")
    assert (found.returncode, found.stderr) == (0, "")
    first, *_ = found.stdout.split("\n\n")
    head, mine, *_ = first.splitlines()
    assert head.startswith("2025-07-20 17:")
    assert "Dutch one with a basket" in mine
    assert "*green*" in mine
    assert "*bike*" in mine
    turn = head.split()[2]
    shown = perdure("show", turn)
    assert "a green Dutch one with a basket" in shown.stdout
    # Turns beside a match fit too, and would be strange to read; data has the ranking as it is.
    blocks = perdure("search", "mitts").stdout.strip().split("\n\n")
    assert all("*mitts*" in block for block in blocks)
    assert len(json.loads(perdure("search", "mitts", "--json").stdout)) > len(blocks)


def test_search_where_the_cache_cannot_be_written(perdure: Perdure, nora: Path) -> None:
    before = perdure("search", "green", "bike").stdout
    cache = nora / ".git/perdure/cache"
    shutil.rmtree(cache)
    cache.write_text("No folder.")
    found = perdure("search", "green", "bike")
    assert (found.returncode, found.stdout.splitlines()[0]) == (0, before.splitlines()[0])
    assert "no index can be written here" in found.stderr


def test_that_nothing_was_said_is_not_claimed_of_what_was_not_read(
    perdure: Perdure, nora: Path
) -> None:
    (nora / ".git/perdure/cache").mkdir(parents=True, exist_ok=True)
    lock = KernelLock(nora / ".git/perdure/cache/recall-writing.lock")
    assert lock.try_take()
    with lock:
        found = perdure("search", "bike")
    assert (found.returncode, found.stdout) == (1, "")
    assert "another process" in found.stderr
    assert "nothing that was said" not in found.stderr


def test_search_by_date_branch_and_past(perdure: Perdure, nora: Path) -> None:
    def turns(*words: str) -> list[str]:
        found = perdure("search", "--json", *words)
        assert (found.returncode, found.stderr) == (0, "")
        return [entry["messages"][0]["text"] for entry in json.loads(found.stdout)]

    first = "My cat spent the night inside the oven mitts drawer, the silly thing."
    assert first in turns("cat")
    assert first not in turns("cat", "--since", "2025-02-01")
    assert first in turns("cat", "--until", "2025-01-11")
    git(nora, "switch", "-q", "-c", "other")
    for file in list(nora.glob("conversations/2025-01/**/*.md")):
        git(nora, "rm", "-q", str(file))
    git(nora, "commit", "-q", "-m", "edit: less")
    assert first not in turns("cat")
    assert first in turns("cat", "--branch", "main")
    assert first in turns("cat", "--at", "HEAD~1")


def test_turns_set_aside_are_not_found(perdure: Perdure, nora: Path) -> None:
    found = json.loads(perdure("search", "sluice", "gate", "wheel", "--json").stdout)
    turn = found[0]["turn"]
    folder = nora / "memory" / "aside"
    folder.mkdir(parents=True)
    (folder / "one.md").write_text(f"---\nturns:\n  - {turn}\n---\n")
    git(nora, "add", "memory")
    git(nora, "commit", "-q", "-m", "aside: one")
    again = json.loads(perdure("search", "sluice", "gate", "wheel", "--json").stdout)
    assert turn not in [each["turn"] for each in again]


def test_nothing_found_and_odd_words(perdure: Perdure, nora: Path) -> None:
    for words in (("zyzzyva",), ("AND",), ('"',), ("-n", "3", "--", "--since")):
        found = perdure("search", *words)
        assert found.returncode == 0, found.stderr
    assert "nothing that was said" in perdure("search", "zyzzyva").stderr
    assert json.loads(perdure("search", "zyzzyva", "--json").stdout) == []
    refused = perdure("search", " ")
    assert refused.returncode == 1
    assert "nothing to search for" in refused.stderr
    assert perdure("search", "x", "--since", "the day after never").returncode == 1
    assert perdure("search", "x", "--branch", "main", "--at", "HEAD").returncode == 1


def test_a_damaged_index_is_said_and_costs_nothing(perdure: Perdure, nora: Path) -> None:
    right = perdure("search", "dumplings")
    (index,) = (nora / ".git/perdure/cache").glob("recall-*.sqlite")
    for file in index.parent.glob("recall-*sqlite-*"):
        file.unlink()
    index.write_bytes(b"no database at all")
    again = perdure("search", "dumplings")
    assert again.stdout == right.stdout
    assert "no word is lost" in again.stderr
