"""The process in the background keeps the timeline's index level, and is in nobody's way."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from perdure.chat.session import Session
from perdure.git.maintenance import refresh_timeline
from perdure.git.packs import background
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.timeline import index_file
from perdure.git.timeline.index import Index
from perdure.git.timeline.query import Query
from tests.background import wait_for_children
from tests.lives import make_life
from tests.processes import started

MIRA = Author("Mira", "mira@companion.invalid")
COMMITS = """
SELECT hex(id), parents, time, newest, areas, kind, turn, author, message, added, removed
FROM commits ORDER BY id
"""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of a life: 1,100 turns, and a second branch with a commit of its own."""
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 1_100)
    with Repository.open(path) as repo:
        change = Change("persona/20-voice.md", b"Louder.\n")
        repo.commit(
            [change], message="persona: louder\n", author=MIRA, branch="aside", start="HEAD~7"
        )
    return path


@pytest.fixture
def mira(life: Path, tmp_path: Path) -> Repository:
    """That life, without an index."""
    shutil.copytree(life, tmp_path / "mira")
    return Repository.open(tmp_path / "mira")


def rows(repo: Repository) -> list[tuple[object, ...]]:
    """What the index says of each commit, and of each path; places on lines may differ."""
    path = Index.find(repo.cache_dir)
    assert path is not None
    with closing(sqlite3.connect(path)) as db:
        commits = db.execute(COMMITS).fetchall()
        touched = db.execute(
            "SELECT hex(id), path, parent FROM touched JOIN paths USING (p) "
            "JOIN commits USING (n) ORDER BY 1, 2, 3"
        ).fetchall()
    return [*commits, *touched]


def tips(repo: Repository) -> list[str]:
    return [repo.resolve(name) for name in ("main", "aside")]


def from_nothing(repo: Repository, tmp_path: Path) -> list[tuple[object, ...]]:
    """The index that a copy builds at once."""
    copy = tmp_path / "copy"
    shutil.copytree(repo.path, copy)
    shutil.rmtree(copy / ".git/perdure/cache", ignore_errors=True)
    with Repository.open(copy) as other:
        for tip in tips(other):
            assert other.timeline().update(tip)
        return rows(other)


def knows_all(repo: Repository) -> bool:
    path = Index.find(repo.cache_dir)
    if path is None:
        return False
    with closing(Index.open(path)) as index:
        return all(index.place(tip) is not None for tip in tips(repo))


def test_the_child_builds_what_a_command_would(
    mira: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_timeline, "LONG", 100)
    assert refresh_timeline.start_if_missing(mira.git_dir)
    wait_for_children()
    assert knows_all(mira)
    assert rows(mira) == from_nothing(mira, tmp_path)
    assert not refresh_timeline.start_if_missing(mira.git_dir), "there is one now"


def test_it_is_brought_level_after_packing(mira: Repository, tmp_path: Path) -> None:
    assert refresh_timeline.bring_level(mira.git_dir)
    for number in range(6):
        change = Change("memory/note.md", f"{number}\n".encode())
        mira.commit([change], message="memory: note\n", author=MIRA, branch="main")
    assert not knows_all(mira)
    assert background.start_if_due(mira.git_dir, background.JOINED_LIMIT)
    wait_for_children()
    assert knows_all(mira)
    assert rows(mira) == from_nothing(mira, tmp_path)


def test_a_short_life_gets_no_process(mira: Repository) -> None:
    assert not refresh_timeline.start_if_missing(mira.git_dir)


async def test_a_session_starts_it(mira: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_timeline, "LONG", 100)
    session = await Session.open(mira.path)
    await session.close()
    wait_for_children()
    assert knows_all(mira)


def test_one_at_a_time(mira: Repository) -> None:
    lock = refresh_timeline.timeline_lock(mira.git_dir)
    assert lock.try_take()
    with lock:
        assert not refresh_timeline.bring_level(mira.git_dir)
    assert Index.find(mira.cache_dir) is None
    assert refresh_timeline.bring_level(mira.git_dir)


def test_a_killed_child_leaves_whole_steps(mira: Repository, tmp_path: Path) -> None:
    """What it wrote stays, and the next one goes on from there."""
    script = textwrap.dedent("""
        import signal, sys
        from pathlib import Path
        from perdure.git.maintenance import refresh_timeline
        from perdure.git.timeline import index_file
        index_file._BATCH = 200
        def rest():
            print("a step", flush=True)
            signal.pause()
        refresh_timeline._rest = rest
        refresh_timeline.bring_level(Path(sys.argv[1]))
    """)
    words = [sys.executable, "-c", script, str(mira.git_dir)]
    with started(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "a step\n"
    path = Index.find(mira.cache_dir)
    assert path is not None
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM commits").fetchone() == (200,)
    assert refresh_timeline.bring_level(mira.git_dir)
    assert Index.find(mira.cache_dir) == path
    assert rows(mira) == from_nothing(mira, tmp_path)


def test_a_command_in_a_hurry_takes_over(
    mira: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two steps the index is free; the child then finds that nothing is left."""
    monkeypatch.setattr(index_file, "_BATCH", 100)
    found: list[int] = []

    def hurry() -> None:
        if not found:
            listed = mira.timeline().listing(mira.resolve("HEAD"), Query(folders=("persona",)))
            found.append(sum(1 for _ in listed))

    monkeypatch.setattr(refresh_timeline, "_rest", hurry)
    assert refresh_timeline.bring_level(mira.git_dir)
    log = ["git", "-C", str(mira.path), "rev-list", "--count", "HEAD", "--", "persona"]
    done = subprocess.run(log, check=True, capture_output=True, text=True)
    assert found == [int(done.stdout)]
    assert rows(mira) == from_nothing(mira, tmp_path)


def test_an_index_that_was_made_anew_meanwhile_is_left_alone(
    mira: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_BATCH", 100)
    tip = mira.resolve("HEAD")
    made: list[Path] = []

    def replaced() -> None:
        made.append(Index.create(mira.cache_dir, ""))

    assert not mira.timeline().update_in_steps(tip, replaced)
    assert [Index.find(mira.cache_dir)] == made
    with closing(Index.open(made[0])) as index:
        assert index.place(tip) is None


def test_a_branch_that_cannot_be_read_keeps_no_other_back(mira: Repository) -> None:
    (mira.git_dir / "refs/heads/broken").write_text("1" * 40 + "\n")
    assert not refresh_timeline.bring_level(mira.git_dir)
    assert knows_all(mira)


def test_a_cache_in_the_way_is_no_trouble(mira: Repository) -> None:
    mira.cache_dir.write_text("in the way")
    assert not refresh_timeline.bring_level(mira.git_dir)
    assert mira.cache_dir.read_text() == "in the way"
