from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perdure.git.errors import HistoryError
from perdure.git.locks import GitLock
from perdure.git.refs.refs import Refs
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal, leftover
from perdure.git.worktree.races import RaceDetector
from perdure.git.worktree.sync import WorktreeSync
from tests.conftest import as_its_own

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")
CHUNK = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"


class PowerCut(BaseException):
    """Ends a commit where it is, as a killed process would: nothing is put back."""


def die_in(repo: Repository, function: str, script: str) -> None:
    """Run a script in a process that ends without a word when it comes to a function."""
    module, _, name = function.rpartition(".")
    text = (
        "import os, sys\nfrom perdure.git.repository.repository import *\n"
        "from perdure.git.repository.turn_journal import Journal\n"
        f"from {module.rpartition('.')[0]} import {module.rpartition('.')[2]} as owner\n"
        f"owner.{name} = lambda *_, **__: os._exit(9)\n"
        "repo = Repository.open(sys.argv[1])\nmira = Author('Mira', 'mira@companion.invalid')\n"
        f"{script}"
    )
    done = subprocess.run([sys.executable, "-c", text, repo.path], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()


TURN = (
    "journal = Journal.begin(repo, {'turn': 7, 'message': 'h\\u00e9 \\ud800'})\n"
    "journal.append('a reply\\n'); journal.append('on two lines \\ud83d')\n"
    f"repo.commit([Change({CHUNK!r}, b'turn 7\\n')], message='turn: 7', author=mira, branch='main',"
    " journal=journal)\n"
)
BEFORE = [
    "perdure.git.packs.small.PackWriter.write",
    "perdure.git.packs.write.PackStream.finish",
    "perdure.git.packs.write.PackStream.put_in_place",
    "perdure.git.refs.refs.Refs.prepare",
    "perdure.git.commit.journal_file.JournalFile.intend",
    "perdure.git.worktree.sync.WorktreeSync.lock_index",
    "perdure.git.worktree.sync.WorktreeSync.hold_head",
    "perdure.git.refs.refs.Refs.hold",
    "perdure.git.worktree.sync.WorktreeSync.update_work",
    "perdure.git.worktree.sync.WorktreeSync.fill_index",
    "perdure.git.worktree.sync.WorktreeSync.publish_index",
    "perdure.git.locks.GitLock.publish",
    "perdure.git.refs.refs.Refs.publish",
]
AFTER = [
    "perdure.git.worktree.races.RaceDetector.note",
    "perdure.git.refs.refs.Refs.sync_folder",
    "perdure.git.commit.journal_file.JournalFile.finish",
    "perdure.git.refs.refs.Refs.log",
    "perdure.git.packs.small.PackWriter.consolidate",
]


@pytest.mark.parametrize("function", BEFORE)
def test_dying_before_the_commit_point_leaves_the_turn_in_the_journal(
    repo: Repository, sound: Callable[[], None], function: str
) -> None:
    tip = repo.head().commit
    die_in(repo, function, TURN)
    with Repository.open(repo.path) as again:
        assert again.head().commit == tip
        assert not list(repo.git_dir.rglob("*.lock"))[1:]
        (left,) = leftover(again)
        assert left.header == {"turn": 7, "message": "h\u00e9 \ud800"}
        assert left.text == "a reply\non two lines \ud83d"
        assert leftover(again) == [], "held by us until it is discarded"
        again.commit(
            [Change(CHUNK, b"turn 7\n")], message="t", author=MIRA, branch="main", journal=left
        )
    sound()
    with Repository.open(repo.path) as again:
        assert leftover(again) == []
    assert not list((repo.state_dir / "journals").iterdir())


@pytest.mark.parametrize("function", AFTER)
def test_dying_after_the_commit_point_is_finished_by_the_next_open(
    repo: Repository, git: Git, sound: Callable[[], None], function: str
) -> None:
    die_in(repo, function, TURN)
    assert git("show", f"HEAD:{CHUNK}") == "turn 7\n"
    with Repository.open(repo.path) as again:
        assert leftover(again) == [], "it did land"
        assert (repo.path / CHUNK).read_bytes() == b"turn 7\n"
        sound()
        again.commit([Change(CHUNK, b"turn 8\n")], message="t", author=MIRA, branch="main")
    sound()
    assert not list((repo.state_dir / "held").iterdir())


def test_a_turn_is_offered_though_the_disk_is_too_full_to_put_things_in_order(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_in(repo, "perdure.git.refs.refs.Refs.publish", TURN)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(WorktreeSync, "apply", full)
        again = Repository.open(repo.path)
    with again:
        assert "the disk is full" in again.recovery_trouble
        (left,) = leftover(again)
        assert left.text == "a reply\non two lines \ud83d"


def test_a_lock_of_a_branch_with_a_long_name_is_known_by_its_twin_too(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    """A turn dies while it holds the locks of two branches whose names begin alike."""
    long = "\u8a71" * 60
    for end in "ab":
        git("branch", long + end)
    moves = ", ".join(
        f"RefMove('refs/heads/{long}{end}', repo.resolve('main'), None)" for end in "ab"
    )
    script = (
        "from perdure.git.operations.operation import RefMove, perform\n"
        f"perform(repo, 'drop', 'both', [{moves}], author=mira)\n"
    )
    die_in(repo, "perdure.git.commit.transaction.Mover._write_intent", script)
    assert len(list((repo.git_dir / "refs").rglob("*.lock"))) == 3
    with Repository.open(repo.path) as again:
        assert list((repo.git_dir / "refs").rglob("*.lock")) == []
        again.commit([Change(CHUNK, b"turn 8\n")], message="t", author=MIRA, branch=f"{long}a")
    sound()


PLAIN = (
    "repo.commit([Change('persona/20-voice.md', b'Long.\\n')], message='persona: x', author=mira,"
    " branch='main')\n"
)


@pytest.mark.parametrize(
    "name",
    [
        "sync.WorktreeSync.update_work",
        "sync.WorktreeSync.fill_index",
        "sync.WorktreeSync.publish_index",
        "unsynced.PendingSync.withdraw",
    ],
)
def test_a_commit_without_a_journal_is_levelled_after_a_crash_too(
    repo: Repository, git: Git, sound: Callable[[], None], name: str
) -> None:
    die_in(repo, f"perdure.git.worktree.{name}", PLAIN)
    assert git("show", "HEAD:persona/20-voice.md") == "Long.\n"
    with Repository.open(repo.path) as again:
        sound()
        assert not list(again.state_dir.glob("level-*"))


def test_a_crash_while_a_leftover_is_saved_doubles_nothing(repo: Repository) -> None:
    die_in(repo, BEFORE[0], TURN)
    again = (
        "from perdure.git.repository.turn_journal import leftover\n"
        "(left,) = leftover(repo)\n"
        f"repo.commit([Change({CHUNK!r}, b'7')], message='t', author=mira, branch='main',"
        " journal=left)\n"
    )
    die_in(repo, BEFORE[2], again)
    with Repository.open(repo.path) as opened:
        assert len(leftover(opened)) == 1
    die_in(repo, "perdure.git.commit.journal_file.JournalFile.remove", again)
    with Repository.open(repo.path) as opened:
        assert leftover(opened) == []
        assert opened.read(CHUNK) == b"7"


def test_a_living_sessions_journal_is_left_alone(repo: Repository) -> None:
    journal = Journal.begin(repo, {"turn": 1})
    journal.append("words")
    with Repository.open(repo.path) as other:
        assert leftover(other) == []
    repo.close()
    with Repository.open(repo.path) as other:
        (left,) = leftover(other)
        assert left.text == "words"
        left.discard()
        assert leftover(other) == []


def test_one_file_serves_a_session_and_an_old_turn_does_not_shine_through(
    repo: Repository,
) -> None:
    long = Journal.begin(repo, {"turn": 1})
    for _ in range(3000):
        long.append("many words of the first turn ")
    long.sync()
    long.finish()
    Journal.begin(repo, {"turn": 2}).append("short")
    assert len(list((repo.state_dir / "journals").iterdir())) == 1
    repo.close()
    with Repository.open(repo.path) as again:
        (left,) = leftover(again)
        assert (left.header, left.text) == ({"turn": 2}, "short")


def test_a_finished_turn_is_not_offered_again(repo: Repository) -> None:
    journal = Journal.begin(repo, {"turn": 1})
    journal.append("x")
    journal.finish()
    file = next((repo.state_dir / "journals").iterdir())
    shutil.copy(file, file.with_name("dead.journal"))
    with Repository.open(repo.path) as again:
        assert leftover(again) == []


def test_a_torn_journal_is_read_as_far_as_it_goes(repo: Repository) -> None:
    journal = Journal.begin(repo, {"turn": 1})
    journal.append("first ")
    journal.append("second ")
    repo.close()
    file = next((repo.state_dir / "journals").iterdir())
    data = file.read_bytes().rstrip(b"\0")
    file.write_bytes(data[:-5])
    with Repository.open(repo.path) as again:
        (left,) = leftover(again)
        assert left.text == "first "


# Power cuts: what was not fsynced is gone, in the worst way that a file system allows.


class Disk:
    """Knows what was put on the disk: files by inode, folders by their listing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents: dict[int, bytes] = {}
        self.listings: dict[int, set[str]] = {}
        for folder, _, files in os.walk(root):
            self.note(folder)
            for file in files:
                self.note(os.path.join(folder, file))  # noqa: PTH118

    def note(self, path: str | int) -> None:
        place = Path(path if isinstance(path, str) else f"/proc/self/fd/{path}")
        found = place.stat()
        if place.is_dir():
            self.listings[found.st_ino] = {inner.name for inner in place.iterdir()}
        else:
            self.contents[found.st_ino] = place.read_bytes()

    @contextmanager
    def watch(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        fsync, fdatasync, opening = os.fsync, os.fdatasync, os.open

        def opened(path: str | Path, flags: int, *more: int, dir_fd: int | None = None) -> int:
            fd = opening(path, flags, *more, dir_fd=dir_fd)
            if flags & os.O_EXCL:  # a new file, whose inode may have been another's before
                self.contents.pop(os.fstat(fd).st_ino, None)
            return fd

        def synced(fd: int) -> None:
            fsync(fd)
            self.note(fd)

        def data_synced(fd: int) -> None:
            fdatasync(fd)
            self.note(fd)

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", opened)
            patch.setattr(os, "fsync", synced)
            patch.setattr(os, "fdatasync", data_synced)
            yield

    def after_the_cut(self, target: Path, *, entries: bool) -> None:
        """A copy with contents as last synced; with ``entries``, unsynced names are gone too."""
        copied: dict[int, Path] = {}
        for folder, folders, files in os.walk(self.root):
            there = target / Path(folder).relative_to(self.root)
            there.mkdir(parents=True, exist_ok=True)
            known = self.listings.get(Path(folder).stat().st_ino, set())
            if entries:
                folders[:] = [name for name in folders if name in known]
            for name in files:
                if entries and name not in known:
                    continue
                path = Path(folder) / name
                inode = path.stat().st_ino
                if inode in copied:
                    (there / name).hardlink_to(copied[inode])
                    continue
                copied[inode] = there / name
                synced = self.contents.get(inode, b"")
                now = path.read_bytes()
                kept = now if synced == now else synced[: len(now)]
                (there / name).write_bytes(kept)


@pytest.mark.parametrize("entries", [False, True])
def test_power_cuts_leave_the_old_or_the_new_state(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, entries: bool
) -> None:
    """After each step of three turns the power goes; reopened, each acknowledged turn is there."""
    disk = Disk(repo.path)
    steps = [
        (Refs, "prepare"), (Refs, "hold"), (Refs, "log"), (WorktreeSync, "lock_index"),
        (WorktreeSync, "update_work"), (WorktreeSync, "fill_index"),
        (WorktreeSync, "publish_index"),
        (RaceDetector, "note"), (GitLock, "publish"), (Refs, "publish"),
    ]  # fmt: skip
    cuts: list[tuple[Path, bytes, bytes]] = []
    state = {"old": b"", "new": b""}

    def cut() -> None:
        target = tmp_path / f"cut-{len(cuts)}"
        disk.after_the_cut(target, entries=entries)
        cuts.append((target, state["old"], state["new"]))

    with disk.watch(monkeypatch), monkeypatch.context() as patch:
        for owner, name in steps:
            inner = getattr(owner, name)

            def stepping(
                *args: object, _inner: Callable[..., object] = inner, **more: object
            ) -> object:
                cut()
                return _inner(*args, **more)

            patch.setattr(owner, name, stepping)
        text = b""
        for number in range(3):
            state["old"], text = text, text + b"turn %d, some words\n" % number
            state["new"] = text
            journal = Journal.begin(repo, {"turn": number})
            journal.append("x")
            repo.commit(
                [Change(CHUNK, text)], message="t", author=MIRA, branch="main", journal=journal
            )
            state["old"] = text
            cut()
    assert len(cuts) > 20
    monkeypatch.setattr("perdure.git.state.fields.boot", lambda: "another start")
    for place, old, new in cuts:
        with Repository.open(as_its_own(place)) as again:
            found = again.read(CHUNK) or b""
            assert found in {old, new}
            work = place / CHUNK
            assert (work.read_bytes() if work.exists() else b"") == found
            again.commit([Change("probe.md", b"x")], message="p", author=MIRA, branch="main")
            assert again.writer.index_trouble == ""
        for words in (["fsck", "--full", "--strict"], ["status", "--porcelain"]):
            done = subprocess.run(["git", "-C", place, *words], check=False, capture_output=True)
            said = done.stdout.decode() + done.stderr.decode()
            assert [line for line in said.splitlines() if "dangling" not in line] == []


def test_errors_after_the_commit_point_do_not_fail_the_turn(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(WorktreeSync, "publish_index", full)
        patch.setattr("perdure.git.worktree.files.WorkTree.write", full)
        patch.setattr(Refs, "log", full)
        repo.commit([Change(CHUNK, b"one\n")], message="t", author=MIRA, branch="main")
        assert "No space left" in repo.writer.index_trouble
    assert git("show", f"HEAD:{CHUNK}") == "one\n"
    assert repo.writer.apply_pending()
    repo.commit([Change("a.md", b"a")], message="t", author=MIRA, branch="main")
    assert git("diff", "--cached") == ""


def test_a_full_disk_at_every_write_loses_nothing(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    """A child may write files of so many bytes only: each limit stops the turn at another write."""
    script = (
        "import resource, sys\nfrom perdure.git.repository.repository import *\n"
        "from perdure.git.repository.turn_journal import Journal\n"
        "from perdure.git.errors import *\n"
        "repo = Repository.open(sys.argv[1]); limit = int(sys.argv[2])\n"
        "mira = Author('Mira', 'mira@companion.invalid')\n"
        "text = sys.argv[3].encode() * 400\n"
        "journal = Journal.begin(repo, {'turn': 1})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "try:\n"
        f"    repo.commit([Change({CHUNK!r}, text)], message='t', author=mira, branch='main',"
        " journal=journal)\n"
        "    print('saved')\n"
        "except StorageFull as error:\n"
        "    print('full'); assert error.next_step and 'full' in str(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        f"repo.commit([Change({CHUNK!r}, text)], message='t', author=mira, branch='main')\n"
    )
    outcomes = set()
    for number, limit in enumerate([0, 40, 60, 200, 300, 420, 520, 600, 1100, 1300, 3000, 9000]):
        words = f"turn {number} "
        done = subprocess.run(
            [sys.executable, "-c", script, repo.path, str(limit), words],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, (limit, done.stderr)
        outcomes.add(done.stdout.strip())
        assert git("show", f"HEAD:{CHUNK}") == words * 400
        Repository.open(repo.path).close()
        sound()
    assert outcomes == {"full", "saved"}


def test_a_lock_whose_twin_the_power_cut_took_is_known_from_the_journal(
    repo: Repository, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    die_in(repo, "perdure.git.worktree.sync.WorktreeSync.hold_head", TURN)
    lock = repo.git_dir / "index.lock"
    assert lock.exists()
    shutil.rmtree(repo.state_dir / "held")
    Repository.open(repo.path).close()
    assert lock.exists(), "the machine was not started anew: it could be anybody's"
    monkeypatch.setattr("perdure.git.state.fields.boot", lambda: "another start")
    Repository.open(repo.path).close()
    assert not lock.exists()
    sound()


def test_what_cannot_be_recovered_now_does_not_keep_from_reading(
    repo: Repository, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    die_in(repo, AFTER[0], TURN)

    def shut(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("perdure.git.commit.recovery.remove_dead_locks", shut)
        with Repository.open(repo.path) as again:
            assert "Read-only" in again.recovery_trouble
            assert again.read(CHUNK) == b"turn 7\n"
    with Repository.open(repo.path) as again:
        assert again.recovery_trouble == ""
    sound()


def test_every_error_says_what_is_kept() -> None:
    error = HistoryError("it broke", "all is well", "try again")
    assert str(error).lower() == "it broke. all is well. try again"
    assert (error.what, error.kept, error.next_step) == ("it broke", "all is well", "try again")


def test_without_hard_links_a_killed_owners_locks_go_at_once(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch, sound: Callable[[], None]
) -> None:
    """Also those that are younger than what a stranger's side-car would be believed."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refused)
    pid = os.getpid()
    for name in ("HEAD", "index", "refs/heads/main"):
        lock = GitLock(repo.git_dir, repo.state_dir / "held", repo.git_dir / name)
        lock.take(wait=0.0)
        # Killed here: nothing is given back.
        os.close(lock.fd)
    assert (repo.git_dir / "HEAD~pid.lock").read_text() == f"pid {pid}\n"
    with Repository.open(repo.path) as again:
        again.commit([Change("lore/a.md", b"a\n")], message="l", author=MIRA, branch="main")
    assert not list(repo.git_dir.glob("*.lock"))
    assert not list((repo.git_dir / "refs").rglob("*.lock"))
    sound()


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_made_while_a_turn_is_saved_is_not_blocked(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    place = tmp_path / "copy"

    def copied(*_: object) -> None:
        how = "--preserve=all" if links else "--preserve=mode,timestamps"
        if not place.exists():
            subprocess.run(["cp", "-r", how, repo.path, place], check=True)

    calls = []

    def later(level: object, branch: str) -> None:
        calls.append(branch)
        if len(calls) == 2:
            copied()

    monkeypatch.setattr("perdure.git.worktree.sync.WorktreeSync.check_not_rewritten", later)
    repo.commit([Change("lore/a.md", b"a\n")], message="l", author=MIRA, branch="main")
    monkeypatch.undo()
    assert (place / ".git/refs/heads/main.lock").exists()
    with Repository.open(place) as copy:
        copy.commit([Change("lore/b.md", b"b\n")], message="l", author=MIRA, branch="main")
        assert copy.writer.index_trouble == ""
    assert not [p for p in (place / ".git").rglob("*.lock") if "perdure" not in p.parts]
