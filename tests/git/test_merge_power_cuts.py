"""Power cuts while a merge with conflicts is left open, or given up: it is open or it is not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.git import disk as disk_module
from perdure.git.locks import GitLock
from perdure.git.merge.merge import abort_merge, merge, open_merge
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.worktree.checkout import Checkout
from perdure.git.worktree.files import WorkTree
from perdure.git.worktree.merge_state import MergeState
from tests.conftest import as_its_own
from tests.git.test_recovery import Disk

MIRA = Author("Mira", "mira@companion.invalid")
VOICE = "persona/20-voice.md"
STEPS = [
    (Checkout, "carry"), (WorkTree, "write"), (WorkTree, "remove"), (MergeState, "_write"),
    (Checkout, "index"), (GitLock, "publish"), (MergeState, "_drop_intent"),
    (disk_module, "replace_file"),
]  # fmt: skip


@pytest.fixture
def two(repo: Repository) -> Repository:
    """Two branches that say different things on the same line; one also has a file of its own."""
    put(repo, "main", {"lore/new.md": b"both have it\n"})
    subprocess.run(["git", "-C", repo.path, "branch", "other"], check=True)
    put(repo, "main", {VOICE: b"Long sentences.\n"})
    put(repo, "other", {VOICE: b"No sentences.\n", "lore/theirs.md": b"theirs\n"})
    return repo


def put(repo: Repository, branch: str, files: dict[str, bytes]) -> None:
    changes = [Change(path, content) for path, content in files.items()]
    repo.commit(changes, message="persona: x", author=MIRA, branch=branch)


@pytest.mark.parametrize("entries", [False, True])
@pytest.mark.parametrize("act", ["open", "give up"])
def test_a_power_cut_at_any_step(
    two: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, *, entries: bool
) -> None:
    if act == "give up":
        merge(two, "other", author=MIRA)
    tip = two.resolve("main")
    disk = Disk(two.path)
    cuts: list[Path] = []

    def cut() -> None:
        cuts.append(tmp_path / f"cut-{len(cuts)}")
        disk.after_the_cut(cuts[-1], entries=entries)

    with disk.watch(monkeypatch), monkeypatch.context() as patch:
        for owner, name in STEPS:
            inner = getattr(owner, name)

            def stepping(
                *args: object, _inner: Callable[..., object] = inner, **more: object
            ) -> object:
                cut()
                return _inner(*args, **more)

            patch.setattr(owner, name, stepping)
        if act == "open":
            merge(two, "other", author=MIRA)
        else:
            abort_merge(two)
    cut()
    assert len(cuts) > 6
    monkeypatch.setattr("perdure.git.state.fields.boot", lambda: "another start")
    seen = [is_open_after(place, tip) for place in cuts]
    assert set(seen) == {True, False}
    assert seen[-1] == (act == "open")


def is_open_after(place: Path, tip: str) -> bool:
    """Whether the merge is open once the power is back; either way all is as it should be."""
    with Repository.open(as_its_own(place)) as again:
        assert again.recovery_trouble == ""
        assert again.resolve("main") == tip
        is_open = open_merge(again) is not None
        if is_open:
            assert (place / "lore/theirs.md").read_bytes() == b"theirs\n"
            assert b"<<<<<<<" in (place / VOICE).read_bytes()
            abort_merge(again)
        assert (place / VOICE).read_bytes() == b"Long sentences.\n"
        put(again, "main", {"probe.md": b"x"})
        assert again.writer.index_trouble == ""
    for words in (["fsck", "--full", "--strict"], ["status", "--porcelain"]):
        done = subprocess.run(
            ["git", "-C", place, *words], check=False, capture_output=True, text=True
        )
        said = [row for row in (done.stdout + done.stderr).splitlines() if "dangling" not in row]
        assert said == []
    return is_open
