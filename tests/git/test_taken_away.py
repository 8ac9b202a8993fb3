"""git takes a turn off its branch without meaning to: it had read HEAD before the turn landed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.git.commit import writer
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")
CHUNK = "conversations/c.md"


def turn(repo: Repository, text: str) -> str:
    content = (repo.read(CHUNK) or b"") + text.encode() + b"\n"
    return repo.commit([Change(CHUNK, content)], message="turn: x", author=MIRA, branch="main")


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch sees nothing; the next commit does what it would have done."""
    monkeypatch.setattr(writer, "_WATCH", 0.0)


def moved(git: Git, says: str, *, later: int = 0) -> None:
    """Move the branch one commit back as a git command does that says so in the reflog."""
    stamp = f"{int(time.time()) + later} +0000"
    os.environ["GIT_COMMITTER_DATE"] = stamp
    try:
        git("update-ref", "-m", says, "HEAD", "HEAD~1")
    finally:
        del os.environ["GIT_COMMITTER_DATE"]
    git("reset", "-q", "--hard", "HEAD")


@pytest.mark.usefixtures("unwatched")
@pytest.mark.parametrize(
    ("says", "later", "comes_back"),
    [
        ("reset: moving to HEAD", 0, True),
        ("reset: moving to HEAD", 60, True),
        ("reset: moving to @", 0, True),
        ("reset: moving to {parent}", 0, True),
        ("reset: moving to {parent}", 60, False),
        ("rebase (abort): returning to refs/heads/main", 60, True),
        ("reset: moving to HEAD~1", 0, False),
        ("reset: moving to main~1", 0, False),
    ],
)
def test_what_the_reflog_says(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    says: str,
    later: int,
    *,
    comes_back: bool,
) -> None:
    turn(repo, "one")
    turn(repo, "two")
    parent = git("rev-parse", "HEAD~1").strip()
    moved(git, says.format(parent=parent), later=later)
    repo.commit([Change("lore/a.md", b"a\n")], message="lore: a", author=MIRA, branch="main")
    assert git("show", f"HEAD:{CHUNK}") == ("one\ntwo\n" if comes_back else "one\n")
    sound()


@pytest.mark.usefixtures("unwatched")
@pytest.mark.parametrize("picks", [["cherry-pick"], ["revert", "--no-edit"]])
def test_giving_a_pick_up(
    repo: Repository, git: Git, sound: Callable[[], None], picks: list[str]
) -> None:
    """Between git's look at HEAD and its reset a turn lands."""
    for text in ("a\n", "b\n", "c\n"):
        repo.commit([Change("lore/a.md", text.encode())], message="l", author=MIRA, branch="main")
    turn(repo, "one")
    git(*picks, "HEAD~2", check=False)
    assert git("status", "--porcelain", "lore") == "UU lore/a.md\n"
    before = git("rev-parse", "HEAD").strip()
    turn(repo, "two")
    git("reset", "-q", "--merge", before)
    repo.commit([Change("lore/b.md", b"b\n")], message="lore: b", author=MIRA, branch="main")
    assert git("show", f"HEAD:{CHUNK}") == "one\ntwo\n"


def test_switching_back_at_once_is_no_branch_without_the_turn(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch, sound: Callable[[], None]
) -> None:
    """Files and index are there before HEAD is."""
    turn(repo, "one")
    git("branch", "other")
    monkeypatch.setattr(writer, "_WATCH", 0.0)
    turn(repo, "two")
    git("symbolic-ref", "HEAD", "refs/heads/other")
    monkeypatch.setattr(time, "sleep", lambda _: git("symbolic-ref", "HEAD", "refs/heads/main"))
    repo.parts().writer._bring_back()
    assert (repo.path / CHUNK).read_text() == "one\ntwo\n"
    sound()


def test_a_branch_that_was_made_beside_the_turn_is_freed_of_it(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch, sound: Callable[[], None]
) -> None:
    turn(repo, "one")
    git("branch", "other")
    monkeypatch.setattr(writer, "_WATCH", 0.0)
    turn(repo, "two")
    git("symbolic-ref", "HEAD", "refs/heads/other")
    repo.parts().writer._bring_back()
    assert (repo.path / CHUNK).read_text() == "one\n"
    sound()


@pytest.mark.usefixtures("unwatched")
def test_a_forced_checkout_that_had_read_the_tip_before(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    turn(repo, "one")
    turn(repo, "two")
    # As `git checkout -f main` leaves it that has read HEAD before the second turn.
    (repo.path / CHUNK).write_text("one\n")
    git("read-tree", "HEAD~1")
    repo.parts().writer._watch_until = time.monotonic() + 60
    repo.parts().writer._bring_back()
    assert (repo.path / CHUNK).read_text() == "one\ntwo\n"
    sound()


@pytest.mark.usefixtures("unwatched")
def test_an_older_version_that_is_taken_out_later_stays(repo: Repository, git: Git) -> None:
    turn(repo, "one")
    turn(repo, "two")
    writer_of = repo.parts().writer
    writer_of._watch_until = 0.0
    git("checkout", "-q", "HEAD~1", "--", CHUNK)
    writer_of._bring_back()
    assert (repo.path / CHUNK).read_text() == "one\n"


def commit_by_index(git: Git, index: bytes) -> None:
    """A plain `git commit` that has read the index before the turns landed."""
    place = Path(git("rev-parse", "--absolute-git-dir").strip()) / "index.read-before"
    place.write_bytes(index)
    os.environ["GIT_INDEX_FILE"] = str(place)
    try:
        git("commit", "-q", "--allow-empty", "-m", "persona: by hand")
    finally:
        del os.environ["GIT_INDEX_FILE"]
        place.unlink()


@pytest.mark.usefixtures("unwatched")
@pytest.mark.parametrize("turns", [1, 2, 40])
def test_a_commit_with_an_index_from_before_a_whole_chunk(
    repo: Repository, git: Git, sound: Callable[[], None], turns: int
) -> None:
    before = (repo.git_dir / "index").read_bytes()
    for number in range(turns):
        turn(repo, str(number))
    commit_by_index(git, before)
    assert CHUNK not in git("ls-tree", "-r", "--name-only", "HEAD")
    repo.commit([Change("lore/b.md", b"b\n")], message="lore: b", author=MIRA, branch="main")
    assert git("show", f"HEAD:{CHUNK}").split() == [str(number) for number in range(turns)]
    sound()


@pytest.mark.usefixtures("unwatched")
def test_a_commit_with_an_index_from_before_two_chunks(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    before = (repo.git_dir / "index").read_bytes()
    for path in (CHUNK, "conversations/d.md"):
        repo.commit([Change(path, b"one\n")], message="turn: x", author=MIRA, branch="main")
    commit_by_index(git, before)
    repo.commit([Change("lore/b.md", b"b\n")], message="lore: b", author=MIRA, branch="main")
    for path in (CHUNK, "conversations/d.md"):
        assert git("show", f"HEAD:{path}") == "one\n"
    sound()


@pytest.mark.usefixtures("unwatched")
def test_a_commit_before_the_index_is_levelled_behind_an_editor(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    lock = repo.git_dir / "index.lock"
    lock.touch()
    before = (repo.git_dir / "index").read_bytes()
    turn(repo, "one")
    turn(repo, "two")
    commit_by_index(git, before)
    lock.unlink()
    assert repo.writer.apply_pending()
    assert git("show", f"HEAD:{CHUNK}") == "one\ntwo\n"
    sound()


@pytest.mark.usefixtures("unwatched")
def test_a_commit_right_behind_an_editor_that_was_open_for_long(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    """The turn is old by then; what was levelled when the editor closed is not."""
    lock = repo.git_dir / "index.lock"
    before = (repo.git_dir / "index").read_bytes()
    lock.touch()
    turn(repo, "one")
    writer_of = repo.parts().writer
    chaser = writer_of._chaser
    assert chaser is not None
    writer_of._committed_at -= 60
    lock.unlink()
    chaser.join()
    commit_by_index(git, before)
    writer_of._bring_back()
    assert git("show", f"HEAD:{CHUNK}") == "one\n"
    sound()
