"""A companion's folder from a stranger, as commands meet it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perdure.actions.companion.reading_copy import write_reading_copy
from perdure.git.repository.repository import Repository
from tests.chat.test_session import talk
from tests.cli.conftest import Perdure
from tests.conftest import git
from tests.git.test_hostile_trees import commit, seen, set_ref, with_entry

WAYS = {
    "above": (b"persona", b"..", b"..", b"..", b"mine"),
    "git": (b".git", b"hooks", b"post-checkout"),
}


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def odd(request: pytest.FixtureRequest, companion: Path) -> str:
    """A turn, then a commit that the branch `odd` names, with an entry that nobody may write.

    The tip is clean again: the entry came and went.
    """
    asyncio.run(talk(companion, "Do you know the river?"))
    with Repository.open(companion) as repo:
        tip = repo.resolve("main")
        clean = repo.commit_info(tip).tree
        odd = commit(repo, with_entry(repo, clean, request.param), tip)
        set_ref(repo, "odd", odd)
        set_ref(repo, "main", commit(repo, clean, odd, says="persona: tidy"))
    return odd


def test_what_reads_goes_on_and_what_writes_refuses(
    odd: str, companion: Path, perdure: Perdure
) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = perdure(*words, PERDURE_COMPANION=str(companion))
        return done.returncode, done.stdout, done.stderr

    with Repository.open(companion) as repo:
        before = seen(repo)
        assert run("log", "-n", "9")[0] == 0
        assert run("log", "--persona")[0] == 0
        assert run("list")[0] == 0
        assert run("branch")[0] == 0
        assert run("ops")[0] == 0
        code, said, _ = run("search", "river")
        assert (code, "river" in said) == (0, True)
        assert run("diff", f"{odd}~1", odd)[0] == 0
        assert run("blame", "persona/10-who.md")[0] == 0
        assert run("why")[0] == 0
        code, said, _ = run("show", odd)
        assert (code, "mine" in said or "hooks" in said or "config" in said) == (0, True)
        for words in (
            ("switch", "odd"),
            ("rewind", odd, "--yes"),
            ("undo", "--yes"),
            ("chat", "--at", odd, "--plain"),
        ):
            code, _, told = run(*words)
            assert code == 1, words
            assert "may not be written to the disk" in told
            assert "Nothing was changed" in told
        assert run("revert", odd, "--yes")[0] in {0, 1}
        assert run("restore", "persona", "--at", odd, "--yes")[0] in {0, 1}
        assert seen(repo) == before
    assert not (companion.parent / "mine").exists()
    git(companion, "status", "--porcelain")


def test_the_reading_copy_leaves_such_files_out_and_says_so(companion: Path) -> None:
    with Repository.open(companion) as repo:
        tip = repo.resolve("main")
        odd = with_entry(repo, repo.commit_info(tip).tree, WAYS["above"])
        set_ref(repo, "main", commit(repo, odd, tip))
        copy = companion.parent / "a" / "b" / "copy"
        write_reading_copy(repo, copy, "Mira")
    assert list(companion.parent.rglob("mine")) == []
    assert "Only in the bundle" in (copy / "index.md").read_text()
