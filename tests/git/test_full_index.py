"""Split and sparse indexes, read as git reads them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.git.index import file as index_file
from perdure.git.index.file import IndexTrouble
from perdure.git.index.full import read_index
from perdure.git.layout import find
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree import Trees
from perdure.git.repository.repository import Author, Change, Repository
from tests.git.conftest import Git


def entries(repo: Repository) -> list[tuple[str, str, int]]:
    """Path, blob and stage of every entry."""
    place = find(repo.path)
    trees = Trees(ObjectStore(place.git_dir / "objects"))
    data = read_index(place.own / "index", trees)
    return [(os.fsdecode(slot.path), slot.oid, slot.stage) for slot in index_file.entries(data)]


def as_git(git: Git) -> list[tuple[str, str, int]]:
    rows = (row.partition("\t") for row in git("ls-files", "-s", "-z").split("\0") if row)
    heads = ((path, head.split()) for head, _, path in rows)
    return [(path, head[1], int(head[2])) for path, head in heads]


def split(git: Git) -> None:
    git("config", "core.splitIndex", "true")
    git("config", "splitIndex.maxPercentChange", "100")
    git("update-index", "--split-index")


def sparse(git: Git) -> None:
    git("sparse-checkout", "set", "--cone", "--sparse-index", "persona")


def filled(repo: Repository, git: Git) -> None:
    for number in range(90):
        place = repo.path / f"lore/{number % 7}/{number:02}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{number}\n")
    git("add", "-A")
    git("commit", "-qm", "lore: many")


@pytest.mark.parametrize("version", ["2", "4"])
@pytest.mark.parametrize("seed", range(6))
def test_a_split_index_is_read_as_git_reads_it(
    repo: Repository, git: Git, seed: int, version: str
) -> None:
    filled(repo, git)
    git("update-index", "--index-version", version)
    split(git)
    dice = random.Random(seed)
    for step in range(5):
        places = sorted((repo.path / "lore").rglob("*.md"))
        for place in dice.sample(places, 6):
            if dice.random() < 0.4:
                place.unlink()
            else:
                place.write_text(f"{dice.random()}\n")
        (repo.path / f"lore/new-{step}.md").write_text("new\n")
        git("add", "-A")
        assert b"link" in (repo.path / ".git/index").read_bytes()
        assert entries(repo) == as_git(git)


def test_a_conflict_in_a_split_index(repo: Repository, git: Git) -> None:
    split(git)
    git("checkout", "-qb", "other")
    (repo.path / "persona/10-who.md").write_text("Other.\n")
    git("commit", "-qam", "persona: other")
    git("checkout", "-q", "main")
    (repo.path / "persona/10-who.md").write_text("Ours.\n")
    git("commit", "-qam", "persona: ours")
    git("merge", "other", check=False)
    assert [row[2] for row in entries(repo)].count(3) == 1
    assert entries(repo) == as_git(git)


def test_a_sparse_index_is_read_as_git_reads_it(repo: Repository, git: Git) -> None:
    filled(repo, git)
    sparse(git)
    assert "lore/" in git("ls-files", "--sparse").split("\n")
    assert entries(repo) == as_git(git)


@pytest.mark.parametrize("kind", [split, sparse])
def test_a_commit_lands_in_it_and_git_goes_on(
    repo: Repository, git: Git, mira: Author, kind: Callable[[Git], None]
) -> None:
    path = "conversations/2026-11/22/one.md"
    repo.commit([Change(path, b"one\n")], message="turn: one", author=mira, branch="main")
    kind(git)
    repo.commit([Change(path, b"one\ntwo\n")], message="turn: two", author=mira, branch="main")
    assert repo.writer.index_trouble == ""
    assert git("status", "--porcelain") == ""
    (repo.path / "persona/10-who.md").write_text("I am she.\n")
    git("add", "persona")
    git("commit", "-qm", "persona: mine")
    assert git("show", f"HEAD:{path}") == "one\ntwo\n"
    git("fsck", "--strict")


def test_a_part_that_is_missing_is_told(repo: Repository, git: Git) -> None:
    split(git)
    (shared,) = (repo.path / ".git").glob("sharedindex.*")
    shared.unlink()
    with pytest.raises(IndexTrouble, match="its other part cannot be read"):
        entries(repo)


@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_are_read_or_told(repo: Repository, git: Git, seed: int) -> None:
    dice = random.Random(seed)
    split(git)
    (repo.path / "persona/10-who.md").write_text("Changed.\n")
    (repo.path / "persona/20-voice.md").unlink()
    git("add", "-A")
    place: Path = repo.path / ".git" / "index"
    data = bytearray(place.read_bytes()[:-20])
    link = data.index(b"link")
    for _ in range(dice.randint(1, 6)):
        data[dice.randrange(link, len(data))] = dice.randrange(256)
    place.write_bytes(bytes(data) + hashlib.sha1(data, usedforsecurity=False).digest())
    with contextlib.suppress(IndexTrouble):
        entries(repo)
