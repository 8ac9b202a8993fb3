"""The timeline's index: always what git says, whatever happened to its file."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git import cache_file
from perdure.git.disk import KernelLock
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.tree_diff import TreeComparer
from perdure.git.repository.repository import Repository
from perdure.git.timeline import commit_info, index, index_file
from perdure.git.timeline.commit_info import Facts, facts_of
from perdure.git.timeline.query import Query
from tests.lives import make_life
from tests.processes import killed_after

FOLDERS = (
    ("persona",),
    ("conversations",),
    ("memory", "lore"),
    ("persona", "memory"),
)
FILES = (
    "persona/a.md",
    "persona/b/c.md",
    "memory/m.md",
    "lore/l.md",
    "conversations/x.md",
    "top.md",
)
BEGIN = 1_700_000_000


def git(path: Path, *words: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(path), *words], input=data, capture_output=True, check=True
    )
    return done.stdout.decode()


def fast_import(path: Path, seed: int, count: int, *, refs: int = 3) -> None:
    """A random history: several branches, merges of every outcome, times out of order."""
    dice = random.Random(seed)
    out = []
    states: list[dict[str, int]] = []
    for number in range(count):
        parents = []
        if number:
            parents = [dice.randrange(max(0, number - 4), number)]
            if dice.random() < 0.3:
                other = dice.randrange(number)
                parents += [other] if other not in parents else []
        state = dict(states[parents[0]]) if parents else {}
        if len(parents) == 2:
            theirs = states[parents[1]]
            state = {
                name: dice.choice([side[name] for side in (state, theirs) if name in side])
                for name in {**state, **theirs}
            }
        for _ in range(dice.randint(0 if parents else 1, 2)):
            if len(parents) < 2 or dice.random() < 0.2:
                state[dice.choice(FILES)] = number
        states.append(state)
        at = BEGIN + 60 * number + dice.choice([0, 0, 0, -400, 400])
        out.append(
            f"commit refs/heads/line-{number % refs}\nmark :{number + 1}\n"
            f"author {dice.choice(['Ana', 'Mira'])} <a@example.org> {at} +0100\n"
            f"committer Ana <a@example.org> {at} +0000\ndata 9\nnote {number % 10}: x\n"
        )
        out += [
            f"{word} :{parent + 1}\n"
            for word, parent in zip(("from", "merge"), parents, strict=False)
        ]
        out.append("deleteall\n")
        out += [
            f"M 100644 inline {name}\ndata {len(str(value))}\n{value}\n"
            for name, value in state.items()
        ]
    out.append(f"reset refs/heads/main\nfrom :{count}\n\n")
    git(path, "fast-import", "--quiet", "--force", data="".join(out).encode())


def gits(path: Path, rev: str, *words: str) -> set[str]:
    return set(git(path, "log", "--format=%H", *words, rev).split())


def with_paths(path: Path, rev: str, paths: tuple[str, ...]) -> set[str]:
    """Commits that changed paths; a merge that has them as one of its parents has is none."""
    done = git(path, "log", "--format=%H %P", "--full-history", rev, "--", *paths)
    found = set()
    for line in done.splitlines():
        oid, *parents = line.split()
        same = [git(path, "diff", "--name-only", p, oid, "--", *paths) == "" for p in parents]
        if len(parents) < 2 or not any(same):
            found.add(oid)
    return found


def ids(repo: Repository, start: str, query: Query) -> list[str]:
    return [listed.commit.id for listed in repo.timeline().listing(start, query)]


def agrees(path: Path, rev: str) -> None:
    """Every kind of listing has the commits that git lists, parents never before children."""
    repo = Repository.open(path, recover=False)
    start = repo.resolve(rev)
    found = ids(repo, start, Query())
    assert sorted(found) == sorted(gits(path, rev))
    place = {oid: number for number, oid in enumerate(found)}
    assert all(place[p] > place[oid] for oid in found for p in repo.commits.parents(oid))
    for folders in FOLDERS:
        assert set(ids(repo, start, Query(folders=folders))) == with_paths(path, rev, folders)
    for name in (*FILES, "persona/b", "nothing"):
        assert set(ids(repo, start, Query(paths=(name,)))) == with_paths(path, rev, (name,))
    middle = datetime.fromtimestamp(BEGIN + 300, UTC)
    stamp = str(BEGIN + 300)
    since = {
        oid for oid in found if int(git(path, "show", "-s", "--format=%ct", oid)) >= int(stamp)
    }
    assert set(ids(repo, start, Query(since=middle))) == since
    assert set(ids(repo, start, Query(until=middle))) == set(found) - since
    assert set(ids(repo, start, Query(author="mIrA"))) == gits(path, rev, "--author=Mira")
    assert set(ids(repo, start, Query(grep="NOTE 3"))) == gits(path, rev, "--grep=note 3")


@settings(max_examples=8)
@given(st.integers(0, 10**9), st.integers(1, 30))
def test_listings_are_gits_on_random_histories(seed: int, count: int) -> None:
    """Also after the branch was moved by force, and on branches that share the index."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        git(path, "init", "-q", "-b", "main")
        fast_import(path, seed, count)
        agrees(path, "main")
        repo = Repository.open(path, recover=False)
        walked = {
            listed.commit.id: (listed.kind, listed.files)
            for listed in repo.timeline()._walked((repo.resolve("main"),), Query())
        }
        indexed = {
            listed.commit.id: (listed.kind, listed.files)
            for listed in repo.timeline().listing(repo.resolve("main"), Query())
        }
        assert indexed == walked
        before = repo.resolve("main")
        if repo.commits.parents("main"):
            git(path, "update-ref", "refs/heads/main", "main~1")
            assert before not in ids(repo, repo.resolve("main"), Query())
        fast_import(path, seed + 1, count + 3)
        agrees(path, "line-0")
        agrees(path, "main")


@settings(max_examples=8)
@given(st.integers(0, 10**9), st.integers(1, 30))
def test_several_lines_are_listed_as_one_history(seed: int, count: int) -> None:
    """What git lists of them together, in pages, no commit before one that descends from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        git(path, "init", "-q", "-b", "main")
        fast_import(path, seed, count)
        repo = Repository.open(path, recover=False)
        start, *beside = git(path, "for-each-ref", "--format=%(objectname)").split()
        wanted = git(path, "rev-list", "--all").split()
        timeline = repo.timeline()
        walked = timeline._walked((start, *beside), Query())
        assert sorted(each.commit.id for each in walked) == sorted(wanted)
        assert timeline.update(start)
        found: list[str] = []
        while len(found) % 7 == 0:
            page = Query(skip=len(found), limit=7)
            new = [each.commit.id for each in timeline.listing(start, page, beside=beside)]
            found += new
            if not new:
                break
        assert sorted(found) == sorted(wanted)
        place = {oid: number for number, oid in enumerate(found)}
        assert all(place[p] > place[oid] for oid in found for p in repo.commits.parents(oid))


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of a life: 1,100 turns."""
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 1100)
    return path


@pytest.fixture
def mira(life: Path, tmp_path: Path) -> Repository:
    """A copy of that life with an index."""
    git(tmp_path, "clone", "-q", "--no-hardlinks", str(life), "mira")
    repo = Repository.open(tmp_path / "mira", recover=False)
    assert repo.timeline().update(repo.resolve("HEAD"))
    return Repository.open(tmp_path / "mira", recover=False)


def index_path(repo: Repository) -> Path:
    (path,) = repo.cache_dir.glob("timeline-*.sqlite")
    return path


def persona_changes(repo: Repository) -> list[str]:
    return ids(repo, repo.resolve("HEAD"), Query(folders=("persona",)))


def expected_changes(repo: Repository) -> list[str]:
    return git(repo.path, "log", "--format=%H", "--full-history", "--", "persona").split()


def test_a_turn_is_found_by_its_id(mira: Repository) -> None:
    tip = mira.resolve("HEAD")
    listed = list(mira.timeline().listing(tip, Query(folders=("conversations",), limit=40)))
    assert [entry.kind for entry in listed] == ["turn"] * 40
    for entry in listed:
        assert entry.turn == dict(entry.commit.trailers)["Turn"]
        (found,) = mira.timeline().turn(tip, entry.turn)
        assert found.id == entry.commit.id
    older = mira.commits.parents(listed[10].commit.id)[0]
    assert mira.timeline().turn(older, listed[0].turn or "") == []


def test_pages_join_to_the_whole(mira: Repository) -> None:
    tip = mira.resolve("HEAD")
    whole = ids(mira, tip, Query(folders=("conversations",)))
    pages = []
    for skip in range(0, 1200, 100):
        pages += ids(mira, tip, Query(folders=("conversations",), limit=100, skip=skip))
    assert pages == whole
    assert len(whole) == 1100


@pytest.mark.parametrize("what", ["gone", "garbage", "empty", "cut", "table", "wrong", "no row"])
def test_a_damaged_index_is_made_anew(mira: Repository, what: str) -> None:
    path = index_path(mira)
    data = path.read_bytes()
    if what == "gone":
        path.unlink()
    elif what == "garbage":
        path.write_bytes(data[:8192] + b"\x5a" * (len(data) - 8192))
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        db = sqlite3.connect(path)
        if what == "table":
            db.execute("DROP TABLE touched")
        elif what == "wrong":
            db.execute("UPDATE commits SET areas = 1, author = 'x' WHERE n % 7 = 0")
            db.execute("UPDATE commits SET id = randomblob(20) WHERE n = 400")
        else:
            db.execute("DELETE FROM commits WHERE areas & 1 AND n > 1")
        db.commit()
        db.close()
    if what in {"wrong", "no row"}:
        # Damage that SQLite cannot see: what is answered must still stand in git.
        answers = ids(mira, mira.resolve("HEAD"), Query(folders=("persona",), author="mira"))
        assert set(answers) <= gits(mira.path, "HEAD")
        for oid in answers:
            assert mira.commit_info(oid).author.name == "Mira"
    else:
        assert persona_changes(mira) == expected_changes(mira)
        assert persona_changes(Repository.open(mira.path)) == expected_changes(mira)
        assert mira.timeline().update(mira.resolve("HEAD"))
        path = index_path(mira)
        assert path.stat().st_mode & 0o077 == 0
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("SELECT count(*) FROM commits").fetchone()[0] > 1100


def test_an_index_of_another_version_is_replaced(
    mira: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = index_path(mira)
    monkeypatch.setattr(index, "INDEX_FILES", "timeline-99")
    assert persona_changes(mira) == expected_changes(mira)
    assert index_path(mira) != old
    assert "-99-" in index_path(mira).name


def test_new_commits_are_added_without_looking_at_the_old_ones(
    mira: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mira.path / "persona/20-voice.md").write_text("Calm.\n")
    git(mira.path, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qam", "persona: calm")
    looked_at = []
    real: Callable[..., Facts] = facts_of

    def counted(info: CommitInfo, **more: object) -> Facts:
        looked_at.append(info)
        return real(info, **more)

    monkeypatch.setattr(index_file, "facts_of", counted)
    repo = Repository.open(mira.path)
    assert persona_changes(repo) == expected_changes(repo)
    assert len(looked_at) == 1


def test_words_are_counted_in_so_many_persona_files_of_a_commit(
    mira: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_info, "_MOST_COUNTED", 3)
    for number in range(5):
        (mira.path / f"persona/9{number}-more.md").write_text("Two words.\n")
    git(mira.path, "add", "persona")
    git(mira.path, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "persona: more")
    facts = commit_info.facts_of(
        mira.commit_info(mira.resolve("HEAD")),
        tree_of=lambda commit: mira.commit_info(commit).tree,
        trees=TreeComparer(mira.parts().store.read),
        blob=mira.blob,
        boundary=frozenset(),
    )
    assert (facts.kind, facts.words) == ("persona", (6, 0))


@pytest.mark.parametrize("what", ["locked", "file in the way", "read only"])
def test_without_a_usable_cache_the_answer_comes_from_git(
    life: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", str(life), "mira")
    monkeypatch.setattr(cache_file, "BUSY", 0.05)
    repo = Repository.open(tmp_path / "mira")
    lock = KernelLock(repo.cache_dir / "timeline.lock")
    if what == "locked":
        assert lock.try_take()
    elif what == "file in the way":
        repo.cache_dir.parent.mkdir(exist_ok=True)
        repo.cache_dir.write_text("")
    else:
        repo.timeline().update(repo.resolve("HEAD~5"))
        db = sqlite3.connect(index_path(repo))
        # As root, permissions do not hold: SQLite itself is told to write nothing.
        db.close()
        real: Callable[..., sqlite3.Connection] = sqlite3.connect

        def read_only(name: object, **more: object) -> sqlite3.Connection:
            made = real(name, **more)
            made.execute("PRAGMA query_only = ON")
            return made

        monkeypatch.setattr(sqlite3, "connect", read_only)
    tip = repo.resolve("HEAD")
    with lock:
        assert persona_changes(repo) == expected_changes(repo)
        entry = next(repo.timeline().listing(tip, Query(folders=("conversations",))))
        (found,) = repo.timeline().turn(tip, entry.turn or "")
        assert found.id == entry.commit.id
        moment = datetime(2026, 1, 7, tzinfo=UTC)
        first = f"--before={int(moment.timestamp()) - 1}"
        expected = git(repo.path, "rev-list", "-1", "--first-parent", first, "HEAD").strip()
        assert repo.timeline().tip_before(tip, moment) == expected


def test_an_index_of_a_shallow_clone_is_not_used_for_a_deeper_one(
    life: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--depth=20", f"file://{life}", "mira")
    repo = Repository.open(tmp_path / "mira")
    assert len(ids(repo, repo.resolve("HEAD"), Query())) == 20
    git(repo.path, "fetch", "-q", "--unshallow")
    deeper = Repository.open(repo.path)
    assert sorted(ids(deeper, deeper.resolve("HEAD"), Query())) == sorted(gits(repo.path, "HEAD"))


BUILD = """
import sys
from perdure.git.repository.repository import Repository
from perdure.git.timeline.query import Query
repo = Repository.open(sys.argv[1], recover=False)
tip = repo.resolve("HEAD")
def told(done, total):
    if total and done:
        print("at", done, flush=True)
for listed in repo.timeline(told).listing(tip, Query(folders=("persona",))):
    print(listed.commit.id, flush=True)
"""


def builder(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUILD), str(path)], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_build_goes_on_where_it_was(life: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(life), "mira")
    with killed_after(builder(tmp_path / "mira")) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("at ")
    repo = Repository.open(tmp_path / "mira")
    told: list[tuple[int, int]] = []
    repo.timeline(lambda done, total: told.append((done, total))).update(repo.resolve("HEAD"))
    assert told[-1][1] <= 1100 - 500 + 10
    assert persona_changes(repo) == expected_changes(repo)


def test_two_builders_at_once_and_a_reader(life: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(life), "mira")
    repo = Repository.open(tmp_path / "mira")
    with killed_after(builder(repo.path)) as one, killed_after(builder(repo.path)) as other:
        expected = expected_changes(repo)
        assert persona_changes(repo) == expected
        for child in (one, other):
            said, _ = child.communicate()
            assert child.returncode == 0
            assert [
                line for line in said.split("\n") if line and not line.startswith("at ")
            ] == expected
    index_path(repo)


def test_a_build_that_is_stopped_leaves_what_it_finished(life: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(life), "mira")
    repo = Repository.open(tmp_path / "mira")

    def stop(done: int, total: int) -> None:
        if done and total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repo.timeline(stop).update(repo.resolve("HEAD"))
    assert persona_changes(repo) == expected_changes(repo)
