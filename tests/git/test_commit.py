from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from perdure.git.errors import (
    BadPath,
    Busy,
    MissingObject,
    NotARepository,
    StorageFull,
    TipMoved,
)
from perdure.git.locks import GitLock
from perdure.git.operations.annotated_tags import tag_with_note
from perdure.git.operations.branches import start_branch
from perdure.git.packs.keep import Keep
from perdure.git.refs.refs import Refs
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal
from tests.processes import started

Git = Callable[..., str]
CHUNK = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"


def land(
    repo: Repository,
    path: str,
    content: bytes | None,
    *,
    branch: str = "main",
    start: str | None = None,
    expect: Mapping[str, str | None] | None = None,
    journal: Journal | None = None,
) -> str:
    return repo.commit(
        [Change(path, content)],
        message=f"turn: {path}",
        author=Author("Mira", "mira@companion.invalid"),
        branch=branch,
        start=start,
        expect=expect,
        journal=journal,
    )


def test_a_new_repository_pleases_git(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    modes = {
        stat.S_IMODE(path.lstat().st_mode) & 0o077 for path in [repo.path, *repo.path.rglob("*")]
    }
    assert modes == {0}
    sound()
    assert git("log", "--format=%an <%ae> %s") == "Mira <mira@companion.invalid> companion: begin\n"
    assert git("symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert git("config", "core.fsync") == "added,reference\n"


def test_create_wants_an_empty_place(tmp_path: Path, mira: Author) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(NotARepository, match="not empty"):
        create_repository(tmp_path / "full", {}, message="c", author=mira)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "note"]
    (tmp_path / "empty").mkdir()
    create_repository(tmp_path / "empty", {"a.md": b"a"}, message="c", author=mira).close()
    assert (tmp_path / "empty" / "a.md").read_bytes() == b"a"


def test_creating_leaves_nothing_when_it_fails(
    tmp_path: Path, mira: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perdure.git.packs.write.PackStream.finish", full)
    with pytest.raises(StorageFull, match="disk is full"):
        create_repository(tmp_path / "mira", {"a.md": b"a"}, message="c", author=mira)
    assert list(tmp_path.iterdir()) == []


def test_turns_are_commits_and_git_is_level_after_each(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    text = b""
    for number in range(1, 6):
        text += b"turn %d\n" % number
        journal = Journal.begin(repo, {"turn": number})
        commit = land(repo, CHUNK, text, journal=journal)
        assert git("rev-parse", "HEAD").strip() == commit == repo.head().commit
        assert git("show", f"HEAD:{CHUNK}").encode() == text == (repo.path / CHUNK).read_bytes()
        sound()
    assert git("log", "--format=%s", "--", CHUNK).count("\n") == 5
    assert git("reflog", "HEAD").count("commit: turn:") == 5
    assert git("reflog", "main").count("\n") == 6
    # git takes its stat of the work file for good: nothing is left to refresh.
    before = (repo.git_dir / "index").read_bytes()
    git("update-index", "--refresh")
    assert (repo.git_dir / "index").read_bytes() == before


def test_message_author_time_and_trailers(repo: Repository, git: Git) -> None:
    at = datetime(2026, 11, 22, 18, 3, 7, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    message = "turn: Grüße\0\n\nA body.\n\nTurn: 2026-11-22-1803-9f3a77c0/7\nTokens: 812+64\n"
    commit = repo.commit(
        [Change("a.md", b"a")], message=message, author=Author("M <i>\nra", "m@x"), branch="main",
        at=at,
    )  # fmt: skip
    shown = git("show", "-s", "--format=%an|%ae|%aI|%s|%b|%(trailers:key=Turn,valueonly)", commit)
    assert shown.startswith("M i ra|m@x|2026-11-22T18:03:07-03:30|turn: Grüße\ufffd|A body.")
    assert shown.rstrip().endswith("2026-11-22-1803-9f3a77c0/7")
    info = repo.commit_info(commit)
    assert info.at == at
    assert info.at.utcoffset() == at.utcoffset()
    assert (info.subject, info.body) == ("turn: Grüße\ufffd", "A body.")
    assert info.trailers == (("Turn", "2026-11-22-1803-9f3a77c0/7"), ("Tokens", "812+64"))


def test_nothing_to_change_makes_no_commit(repo: Repository) -> None:
    tip = repo.head().commit
    assert land(repo, "persona/10-who.md", b"I am Mira.\n") == tip
    assert land(repo, "persona/none.md", None) == tip


def test_removing_a_file_removes_empty_folders(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    land(repo, CHUNK, b"text")
    land(repo, CHUNK, None)
    assert not (repo.path / "conversations").exists()
    assert "conversations" not in git("ls-tree", "HEAD")
    sound()


def test_expect_stops_a_stale_change(repo: Repository) -> None:
    land(repo, CHUNK, b"one\n", expect={CHUNK: None})
    seen = repo.oid(CHUNK)
    land(repo, CHUNK, b"one\ntwo\n", expect={CHUNK: seen})
    with pytest.raises(TipMoved) as caught:
        land(repo, CHUNK, b"one\nother\n", expect={CHUNK: seen})
    assert caught.value.path == CHUNK
    assert repo.read(CHUNK) == b"one\ntwo\n"


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a//b", "../a", "a/..", ".git/config", "x/.GIT/hooks", "git~1", "a\0b", ".gi\u200ct",
     "x/.git. /y", ".git::$INDEX_ALLOCATION"],
)  # fmt: skip
def test_paths_that_no_tree_may_hold(repo: Repository, path: str) -> None:
    tip = repo.head().commit
    with pytest.raises(BadPath):
        land(repo, path, b"x")
    assert repo.head().commit == tip


def test_a_file_in_the_way_is_not_replaced(repo: Repository) -> None:
    with pytest.raises(BadPath):
        land(repo, "companion.yaml/inside.md", b"x")
    with pytest.raises(BadPath):
        land(repo, "persona", b"x")


@pytest.mark.parametrize("name", ["", "-x", "a..b", "a b", "x.lock", "a/.b", "@", "HEAD", "a~1"])
def test_branch_names_that_git_refuses(repo: Repository, name: str) -> None:
    with pytest.raises(BadPath):
        land(repo, "a.md", b"x", branch=name)


def test_another_branch_leaves_index_and_files_alone(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    start = repo.head().commit
    land(repo, CHUNK, b"there\n", branch="side/walk", start="HEAD")
    assert repo.read(CHUNK) is None
    assert repo.read(CHUNK, "side/walk") == b"there\n"
    assert not (repo.path / CHUNK).exists()
    assert git("rev-parse", "side/walk~1").strip() == start
    sound()


def test_work_files_that_were_edited_stay(repo: Repository, git: Git) -> None:
    land(repo, CHUNK, b"one\n")
    (repo.path / CHUNK).write_bytes(b"one, corrected\n")
    land(repo, CHUNK, b"one\ntwo\n")
    assert (repo.path / CHUNK).read_bytes() == b"one, corrected\n"
    assert git("status", "--porcelain") == f" M {CHUNK}\n"
    (repo.path / CHUNK).unlink()
    land(repo, CHUNK, b"one\ntwo\nthree\n")
    assert not (repo.path / CHUNK).exists()
    assert git("status", "--porcelain") == f" D {CHUNK}\n"


def test_links_are_not_followed_out_of_the_work_tree(repo: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repo.path / "conversations").symlink_to(outside)
    land(repo, CHUNK, b"text")
    assert list(outside.iterdir()) == []
    assert repo.read(CHUNK) == b"text"
    target = tmp_path / "target"
    target.write_bytes(b"")
    (repo.path / "new.md").symlink_to(target)
    land(repo, "new.md", b"text")
    assert target.read_bytes() == b""


def test_staged_and_conflicted_entries_stay(repo: Repository, git: Git) -> None:
    land(repo, CHUNK, b"one\n")
    (repo.path / "persona" / "10-who.md").write_bytes(b"Staged.\n")
    git("add", "persona/10-who.md")
    blob = git("hash-object", "-w", "--stdin", data=b"theirs").strip()
    info = "".join(f"100644 {blob} {stage}\tclash.md\n" for stage in (1, 2, 3))
    git("update-index", "--index-info", data=info.encode())
    staged = git("ls-files", "-s", "persona", "clash.md")
    land(repo, CHUNK, b"one\ntwo\n")
    land(repo, "clash.md", b"ours")
    assert git("ls-files", "-s", "persona", "clash.md") == staged
    assert CHUNK not in git("status", "--porcelain")
    # What somebody staged for our own path is his, too.
    (repo.path / CHUNK).write_bytes(b"mine\n")
    git("add", CHUNK)
    mine = git("ls-files", "-s", CHUNK)
    land(repo, CHUNK, b"one\ntwo\nthree\n")
    assert git("ls-files", "-s", CHUNK) == mine


def test_a_busy_index_does_not_stop_the_turn(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.worktree.sync.INDEX_WAIT", 0.0)
    monkeypatch.setattr("perdure.git.commit.writer.Writer._chase", lambda _: None)
    lock = repo.git_dir / "index.lock"
    lock.write_bytes(b"somebody's")
    land(repo, CHUNK, b"one\n")
    land(repo, CHUNK, b"one\ntwo\n")
    assert "index.lock" in repo.writer.index_trouble
    assert lock.read_bytes() == b"somebody's"
    assert (repo.path / CHUNK).read_bytes() == b"one\ntwo\n"
    assert git("status", "--porcelain") != ""
    lock.unlink()
    land(repo, "persona/30-you.md", b"You.\n")
    assert repo.writer.index_trouble == ""
    sound()


def test_the_next_open_levels_what_was_left(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.worktree.sync.INDEX_WAIT", 0.0)
    monkeypatch.setattr("perdure.git.commit.writer.Writer._chase", lambda _: None)
    lock = repo.git_dir / "index.lock"
    lock.touch()
    land(repo, CHUNK, b"one\n")
    repo.close()
    lock.unlink()
    assert git("status", "--porcelain") != ""
    Repository.open(repo.path).close()
    sound()


def test_a_foreign_ref_lock_is_waited_for_and_named(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.refs.refs.LOCK_WAIT", 0.0)
    lock = repo.git_dir / "refs/heads/main.lock"
    lock.touch()
    tip = repo.head().commit
    with pytest.raises(Busy) as caught:
        land(repo, CHUNK, b"one\n")
    assert str(lock) in str(caught.value)
    assert caught.value.next_step
    assert lock.exists()
    assert repo.head().commit == tip
    side_car = lock.with_name("main~pid.lock")
    side_car.write_text(f"pid {os.getpid()}\n")
    os.utime(lock, (0, 0))
    with pytest.raises(Busy):
        land(repo, CHUNK, b"one\n")
    gone = subprocess.Popen(["true"])
    gone.wait()
    side_car.write_text(f"pid {gone.pid}\n")
    land(repo, CHUNK, b"one\n")
    assert repo.read(CHUNK) == b"one\n"
    assert not side_car.exists()


@pytest.mark.parametrize("how", ["close", "next turn"])
def test_a_switch_of_head_during_a_turn_leaves_nothing_staged(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """`git checkout -b` read the tip before a turn landed, and switches HEAD after it."""
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    land(repo, CHUNK, b"one\n")
    before = git("rev-parse", "HEAD").strip()
    land(repo, CHUNK, b"one\ntwo\n")
    git("update-ref", "refs/heads/side", before)
    git("symbolic-ref", "HEAD", "refs/heads/side")
    assert git("status", "--porcelain") == f"M  {CHUNK}\n"
    if how == "close":
        repo.close()
    else:
        land(repo, CHUNK, b"one\nother\n", branch="side")
    sound()
    assert git("show", f"main:{CHUNK}") == "one\ntwo\n"


def test_a_switch_after_a_turn_finds_the_index_free(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows `git switch` at once, a merge say, needs ``index.lock``: nothing is to do."""
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    git("branch", "side")
    land(repo, CHUNK, b"one\n")
    git("switch", "-q", "side")
    lock = repo.git_dir / "index.lock"
    lock.touch()
    writer = repo.parts().writer
    writer.close()
    assert writer.sync.trouble == "", "nobody asked for the lock"
    lock.unlink()
    sound()


@pytest.mark.parametrize("how", ["close", "next turn"])
def test_a_turn_that_git_stash_reset_away_lands_again(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """`git stash` ends with a reset to what HEAD was when it began, a turn in between or not."""
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    land(repo, CHUNK, b"one\n")
    before = git("rev-parse", "HEAD").strip()
    turn = land(repo, CHUNK, b"one\ntwo\n")
    git("read-tree", "-u", "--reset", before)
    git("update-ref", "-m", "reset: moving to HEAD", "HEAD", before)
    if how == "close":
        repo.close()
        assert git("rev-parse", "HEAD").strip() == turn
    else:
        land(repo, "memory/facts/a.md", b"fact\n")
        assert git("rev-parse", "HEAD~1").strip() == turn
    assert (repo.path / CHUNK).read_bytes() == b"one\ntwo\n"
    sound()


def test_a_reset_to_a_tip_that_was_looked_at_while_it_landed_is_seen(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    land(repo, CHUNK, b"one\n")
    settle = Refs.sync_folder

    def looked_at(lock: GitLock) -> None:
        settle(lock)
        repo.parts().writer._taken_away()

    with monkeypatch.context() as patch:
        patch.setattr(Refs, "sync_folder", staticmethod(looked_at))
        before = land(repo, CHUNK, b"one\ntwo\n")
    turn = land(repo, CHUNK, b"one\ntwo\nthree\n")
    git("read-tree", "-u", "--reset", before)
    git("update-ref", "-m", "reset: moving to HEAD", "HEAD", before)
    repo.close()
    assert git("rev-parse", "HEAD").strip() == turn
    sound()


@pytest.mark.parametrize("how", ["close", "next turn"])
def test_a_turn_that_a_stale_index_took_out_of_the_tip_lands_again(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """An index from two turns ago is put over ours, and the next `git commit` is quick."""
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    land(repo, CHUNK, b"one\n")
    index = repo.git_dir / "index"
    before = index.read_bytes()
    land(repo, CHUNK, b"one\ntwo\n")
    land(repo, CHUNK, b"one\ntwo\nthree\n")
    index.with_name("theirs").write_bytes(before)
    index.with_name("theirs").replace(index)
    git("commit", "-qm", "by hand")
    assert git("show", f"HEAD:{CHUNK}") == "one\n"
    if how == "close":
        repo.close()
    else:
        land(repo, "memory/facts/a.md", b"fact\n")
    assert git("show", f"HEAD:{CHUNK}") == "one\ntwo\nthree\n"
    sound()


def test_an_older_version_that_somebody_checked_out_and_committed_stays(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    land(repo, CHUNK, b"one\n")
    land(repo, CHUNK, b"one\ntwo\n")
    git("checkout", "HEAD~1", "--", CHUNK)
    git("commit", "-qm", "I meant that")
    land(repo, "memory/facts/a.md", b"fact\n")
    repo.close()
    assert git("show", f"HEAD:{CHUNK}") == "one\n"


def test_a_reset_that_somebody_meant_stays(repo: Repository, git: Git) -> None:
    land(repo, CHUNK, b"one\n")
    land(repo, CHUNK, b"one\ntwo\n")
    git("reset", "-q", "--hard", "HEAD~1")
    land(repo, "memory/facts/a.md", b"fact\n")
    repo.close()
    assert git("show", f"HEAD:{CHUNK}") == "one\n"


def test_an_older_index_put_over_ours_is_levelled(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git commit` reads the index before it locks it, and writes it back though it fails."""
    monkeypatch.setattr("perdure.git.commit.writer.Writer._watch_head", lambda _: None)
    land(repo, CHUNK, b"one\n")
    index = repo.git_dir / "index"
    before = index.read_bytes()
    land(repo, CHUNK, b"one\ntwo\n")
    index.with_name("theirs").write_bytes(before)
    index.with_name("theirs").replace(index)
    assert git("status", "--porcelain") == f"MM {CHUNK}\n"
    repo.close()
    sound()


def test_someone_elses_commit_in_between_is_kept(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from perdure.git.packs.small import PackWriter

    write = PackWriter.write
    raced: list[str] = []

    def racing(packs: PackWriter, objects: Sequence[tuple[str, bytes, bytes]]) -> Keep:
        if len(raced) < 3:
            raced.append("x")
            git("commit", "--allow-empty", "-qm", f"by hand {len(raced)}")
        return write(packs, objects)

    monkeypatch.setattr(PackWriter, "write", racing)
    land(repo, CHUNK, b"one\n")
    subjects = git("log", "--format=%s").splitlines()
    assert subjects[1:4] == ["by hand 3", "by hand 2", "by hand 1"]
    sound()


def test_what_a_crash_left_under_an_objects_name_is_not_relied_on(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    blob = git("hash-object", "--stdin", data=b"one\n").strip()
    place = repo.git_dir / "objects" / blob[:2] / blob[2:]
    place.parent.mkdir(exist_ok=True)
    place.touch()
    land(repo, CHUNK, b"one\n")
    with Repository.open(repo.path) as again:
        assert again.read(CHUNK) == b"one\n"
    assert git("show", f"HEAD:{CHUNK}") == "one\n"
    place.unlink()
    sound()


def test_a_missing_object_is_said_and_nothing_is_built_on_it(repo: Repository) -> None:
    for path in (repo.git_dir / "objects" / "pack").iterdir():
        path.unlink()
    with Repository.open(repo.path) as again:
        with pytest.raises(MissingObject, match="is missing"):
            again.read("companion.yaml")
        with pytest.raises(MissingObject):
            land(again, CHUNK, b"one\n")


def test_two_writers_and_git_lose_nothing(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from perdure.git.repository.repository import *\n"
        "repo = Repository.open(sys.argv[1]); text = b''\n"
        "for n in range(25):\n"
        "    text += b'%s %d\\n' % (sys.argv[2].encode(), n)\n"
        "    path = f'conversations/{sys.argv[2]}.md'\n"
        "    repo.commit([Change(path, text)], message='turn: x', author=Author('M', 'm@x'),"
        " branch='main')\n"
        "Path(sys.argv[3]).touch()\n"
        "sys.stdin.read()\n"
        "repo.close()\n"
    )
    ends = {name: repo.path.with_name(f"{name} is at its end") for name in "ab"}
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                started([sys.executable, "-c", script, repo.path, name, end], stdin=subprocess.PIPE)
            )
            for name, end in ends.items()
        ]
        # To the end of all that git begins, the writers look after their turns.
        while all(writer.poll() is None for writer in writers) and not any(
            end.exists() for end in ends.values()
        ):
            git("commit", "--allow-empty", "-qm", "by hand", check=False)
        for writer in writers:
            writer.communicate()
        assert [writer.returncode for writer in writers] == [0, 0]
    for name in "ab":
        expected = "".join(f"{name} {n}\n" for n in range(25))
        assert git("show", f"HEAD:conversations/{name}.md") == expected
    # `git commit` may have read HEAD after a turn and the index before: it takes the turn out then,
    # and the turn is committed once more.
    log = git("log", "--format=%x00%s", "--numstat").split("\0")
    turns = [commit for commit in log if commit.startswith("turn: x\n\n")]
    takes_out = any(commit.startswith("by hand\n\n") for commit in log)
    assert len(turns) >= 50 if takes_out else len(turns) == 50
    sound()


def test_a_clock_before_1970_makes_no_time_that_git_refuses(
    repo: Repository, git: Git, sound: Callable[[], None], mira: Author
) -> None:
    then = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    before = git("log", "-1", "--format=%at %ct")
    repo.commit([Change("lore/a.md", b"a\n")], message="l", author=mira, branch="main", at=then)
    assert git("log", "-1", "--format=%at %ct") == before
    start_branch(repo, "side", author=mira, at=then)
    tag_with_note(repo, "v1", None, "note", author=mira, at=then)
    sound()
