"""A work file that cannot be written for a while, and plain git beside it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from perdure.git.commit.writer import Writer
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal
from perdure.git.worktree.files import WorkTree

Git = Callable[..., str]
Stubborn = Callable[[], AbstractContextManager[None]]
MIRA = Author("Mira", "mira@companion.invalid")
CHUNK = "conversations/c.md"


def say(place: Path, text: str) -> str:
    """One turn in a session of its own; what is to be told of the index afterwards."""
    with Repository.open(place) as repo:
        old = repo.read(CHUNK) or b""
        repo.commit(
            [Change(CHUNK, old + text.encode() + b"\n")],
            message=f"turn: {text}",
            author=MIRA,
            branch="main",
            expect={CHUNK: repo.oid(CHUNK)},
            journal=Journal.begin(repo, {}),
        )
        return repo.writer.index_trouble


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Stubborn:
    """A ``with`` statement in which the chunk's work file cannot be written."""
    write: Callable[..., object] = WorkTree.write

    def refused(work: WorkTree, path: str, *args: object, **named: object) -> object:
        if path == CHUNK:
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        return write(work, path, *args, **named)

    @contextmanager
    def held() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(WorkTree, "write", refused)
            yield

    return held


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_it_follows_once_it_can_be_written(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    stubborn: Stubborn,
    turns: int,
) -> None:
    said = ["first"]
    say(repo.path, "first")
    with stubborn():
        for number in range(turns):
            told = say(repo.path, f"while {number}")
            assert told == (
                f"{CHUNK} cannot be written (Operation not permitted); it follows once it can be"
            )
            said.append(f"while {number}")
    assert (repo.path / CHUNK).read_text() == "first\n"
    assert say(repo.path, "after") == ""
    said.append("after")
    assert (repo.path / CHUNK).read_text().split() == " ".join(said).split()
    assert not list(repo.state_dir.glob("level-*"))
    sound()


def test_nothing_is_levelled_once_the_repository_is_closed(
    repo: Repository, stubborn: Stubborn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What chases the lock has found it free just when the repository is closed."""
    apply_pending, close = Writer.apply_pending, Writer.close
    is_at_it, done = threading.Event(), []

    def slowly(writer: Writer) -> bool:
        is_at_it.set()
        writer._closed.wait()
        level = apply_pending(writer)
        done.append("levelled")
        return level

    def closing(writer: Writer) -> None:
        close(writer)
        done.append("closed")

    monkeypatch.setattr(Writer, "apply_pending", slowly)
    monkeypatch.setattr(Writer, "close", closing)
    with stubborn():
        repo.commit([Change(CHUNK, b"first\n")], message="turn: first", author=MIRA, branch="main")
        is_at_it.wait()
        repo.close()
    assert done == ["levelled", "closed"]


@pytest.mark.parametrize("begun", [True, False], ids=["rebase", "switch"])
def test_files_that_git_has_brought_elsewhere_are_left(
    repo: Repository, git: Git, stubborn: Stubborn, *, begun: bool
) -> None:
    """A rebase, or a switch, has written files and index, and moves HEAD next."""
    say(repo.path, "first")
    start = git("rev-parse", "HEAD").strip()
    with stubborn():
        say(repo.path, "second")
    place = repo.git_dir / "rebase-merge"
    with Repository.open(repo.path, recover=False) as again:
        level = again.writer.sync
        tip = git("rev-parse", "HEAD").strip()
        if begun:
            place.mkdir()
            (place / "head-name").write_text("refs/heads/main\n")
        else:
            git("checkout", "-q", "-f", start)
        former = dict(level.pending.read()["main"])
        assert level.apply(tip, former, wait=0.0) == [CHUNK]
    assert (repo.path / CHUNK).read_text() == "first\n"


@pytest.mark.parametrize("writable", [True, False])
def test_a_commit_of_all_takes_nothing_out(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    stubborn: Stubborn,
    *,
    writable: bool,
) -> None:
    """Whether or not the file can be written by then: git commits what it finds in the folder."""
    say(repo.path, "first")
    voice = repo.path / "persona/20-voice.md"
    with stubborn():
        for number in range(3):
            say(repo.path, f"while {number}")
        voice.write_text("Long sentences.\n")
        git("commit", "-qam", "voice")
        assert git("show", f"HEAD:{CHUNK}") == "first\n"
        if not writable:
            say(repo.path, "still")
    with Repository.open(repo.path):
        pass
    still = "" if writable else "still\n"
    text = f"first\nwhile 0\nwhile 1\nwhile 2\n{still}"
    assert git("show", f"HEAD:{CHUNK}") == text
    assert git("show", "HEAD:persona/20-voice.md") == "Long sentences.\n"
    assert (repo.path / CHUNK).read_text() == text
    sound()


def test_what_a_hand_wrote_into_it_stays(repo: Repository, git: Git, stubborn: Stubborn) -> None:
    say(repo.path, "first")
    with stubborn():
        say(repo.path, "second")
    (repo.path / CHUNK).write_text("mine\n")
    with Repository.open(repo.path):
        pass
    assert (repo.path / CHUNK).read_text() == "mine\n"
    assert git("status", "--porcelain") == f" M {CHUNK}\n"


def test_going_back_on_purpose_is_left_alone(
    repo: Repository, git: Git, stubborn: Stubborn, sound: Callable[[], None]
) -> None:
    say(repo.path, "first")
    with stubborn():
        say(repo.path, "second")
    git("reset", "-q", "--hard", "HEAD~1")
    with Repository.open(repo.path):
        pass
    assert git("show", f"HEAD:{CHUNK}") == "first\n"
    sound()
