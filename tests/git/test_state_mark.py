"""State under ``.git/perdure`` is obeyed in the folder that it was made in, and nowhere else."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from perdure.git import leases
from perdure.git.errors import HistoryError
from perdure.git.layout import find
from perdure.git.locks import GitLock
from perdure.git.operations.operation import RefMove, operations, perform
from perdure.git.repository import foreign_words
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal, leftover
from perdure.git.state import mark
from perdure.git.undo.perform import undo
from tests.git.conftest import taken
from tests.git.test_strangers import snapshot

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")
TALK = "2026-11-22-1803-9f3a77c0"
CHUNK = f"conversations/2026-11/22/{TALK}.md"


def say(repo: Repository, text: bytes) -> None:
    """One turn, with its lease."""
    with taken(repo, TALK) as hand:
        repo.commit([Change(CHUNK, text)], message="turn: x", author=MIRA, branch="main")
        oid = repo.oid(CHUNK)
        assert oid is not None
        hand.renew("main", CHUNK, oid)


def fits(repo: Repository) -> bool:
    with taken(repo, TALK) as hand:
        return hand.matches("main", CHUNK, repo.oid(CHUNK))


def excluded(path: Path) -> list[Path]:
    return mark.set_aside(find(path))


def is_its_own(path: Path) -> bool:
    """Whether the folder goes on with what it had: nothing was set aside, and the lease fits."""
    before = excluded(path)
    with Repository.open(path) as repo:
        return excluded(path) == before and fits(repo)


def cp(from_: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", str(from_), str(to)], check=True)
    return to


def leave_remains(repo: Repository) -> None:
    """What a crash leaves: a message in the journal, locks, files on their way, a debt."""
    journal = Journal.begin(repo, {"message": {"text": "Are you there?"}, "speaker": "Mira"})
    journal.append("I am he")
    repo.close()
    state = repo.state_dir
    for folder in ("held", "spare"):
        (state / folder).mkdir(exist_ok=True)
    lock = repo.git_dir / "index.lock"
    lock.write_bytes(b"")
    (state / "held" / "index.1").hardlink_to(lock)
    (state / "spare" / "1").write_bytes(b"half")
    oid = repo.oid("persona/10-who.md")
    (state / "level-main.json").write_text(json.dumps({"main": {"persona/10-who.md": [oid]}}))


def test_a_folder_is_its_own_where_it_was_made(repo: Repository, git: Git, tmp_path: Path) -> None:
    say(repo, b"one")
    repo.close()
    assert is_its_own(repo.path)
    moved = repo.path.rename(tmp_path / "moved")
    assert is_its_own(moved), "mv keeps machine, inode and mark"
    (tmp_path / "link").symlink_to(moved)
    assert is_its_own(tmp_path / "link")
    (moved / ".git").rename(tmp_path / "apart")
    (moved / ".git").write_text(f"gitdir: {tmp_path / 'apart'}\n")
    assert is_its_own(moved)


def test_a_linked_work_tree_shares_the_state(repo: Repository, git: Git, tmp_path: Path) -> None:
    say(repo, b"one")
    git("worktree", "add", "-q", str(tmp_path / "w"), "-b", "w")
    with Repository.open(tmp_path / "w") as linked:
        assert linked.state.is_own()
    assert is_its_own(repo.path)


def test_a_clone_has_nothing_to_set_aside(repo: Repository, git: Git, tmp_path: Path) -> None:
    git("clone", "-q", str(repo.path), str(tmp_path / "clone"))
    with Repository.open(tmp_path / "clone") as clone:
        assert not (clone.git_dir / "perdure").exists(), "only looked at, nothing is made"
        say(clone, b"one")
        assert clone.state.tell_set_aside() == []
    assert is_its_own(tmp_path / "clone")


@pytest.mark.parametrize("way", ["copy", "restored", "another home", "no mark", "another mark"])
def test_from_elsewhere_nothing_is_obeyed_and_words_are_kept(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    say(repo, b"one")
    leave_remains(repo)
    path, inode = repo.path, repo.git_dir.stat().st_ino
    if way == "copy":
        path = cp(path, tmp_path / "copy")
    elif way == "restored":
        # On ext4 the restored folder has the inode of the one that it replaces.
        cp(path, tmp_path / "backup")
        shutil.rmtree(path)
        cp(tmp_path / "backup", path)
        is_reused = (path / ".git").stat().st_ino == inode
        if is_reused and not _tells_generation(path):
            pytest.skip("this file system does not tell a restored folder from the first")
    elif way == "another home":
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    elif way == "no mark":
        (repo.state_dir / "mark").unlink()
        shutil.rmtree(repo.state_dir / "leases")
    else:
        (repo.state_dir / "mark").write_text("0" * 32 + "\n")
    before = (path / ".git" / "perdure" / "state" / "level-main.json").read_bytes()
    with Repository.open(path) as there:
        assert there.recovery_trouble == ""
        (aside,) = excluded(path)
        assert not (path / ".git" / "index.lock").exists(), "its twin came along: it is ours"
        assert (aside / "spare" / "1").read_bytes() == b"half"
        assert (aside / "level-main.json").read_bytes() == before
        assert not fits(there)
        assert leftover(there) == []
        (found,) = foreign_words.words(there)
        assert (found.header["message"], found.text) == ({"text": "Are you there?"}, "I am he")
        assert there.state.tell_set_aside() == [aside]
        assert there.state.tell_set_aside() == []
        found.discard()
        assert foreign_words.words(there) == []
    with Repository.open(path) as there:
        say(there, b"one two")
    assert is_its_own(path), "from now on it is"
    assert len(excluded(path)) == 1


def _tells_generation(path: Path) -> bool:
    return mark._inode(path / ".git")[1] != 0


def test_words_that_landed_are_not_kept_twice(repo: Repository, tmp_path: Path) -> None:
    """A copy made right after a turn: its journal is there, and so is its commit."""
    journal = Journal.begin(repo, {"message": {"text": "Hello"}})
    say_it = [Change(CHUNK, b"hello")]
    repo.commit(say_it, message="turn: x", author=MIRA, branch="main", journal=journal)
    with Repository.open(cp(repo.path, tmp_path / "copy")) as copy:
        assert foreign_words.words(copy) == []


def test_where_inodes_change_with_every_mount(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over sshfs: no start is held up, no word is lost, and the folders stay few."""
    numbers = itertools.count(5)
    for mount in range(12):
        with monkeypatch.context() as patch:
            here = next(numbers)
            patch.setattr(mark, "_inode", lambda _, here=here: (here, 0))
            with Repository.open(repo.path) as there:
                found = foreign_words.words(there)
                assert len(found) == (mount > 0)
                for each in found:
                    assert each.header == {"turn": mount - 1}
                    each.discard()
                say(there, b"turn %d" % mount)
                Journal.begin(there, {"turn": mount})
    assert len(excluded(repo.path)) <= mark._KEPT + 1


def test_a_data_folder_that_cannot_be_written(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container without a home: every start is a first one, and loses no word."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    for number in range(3):
        with Repository.open(repo.path) as there:
            found = [each.header["turn"] for each in foreign_words.words(there)]
            assert sorted(found) == list(range(number))
            say(there, b"turn %d" % number)
            Journal.begin(there, {"turn": number})


def test_a_container_whose_machine_changes(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home and folder are kept: what is known of both holds, where the file system tells enough."""
    say(repo, b"one")
    repo.close()
    machine = leases.machine()
    monkeypatch.setattr(mark, "machine", lambda: "another")
    if _tells_generation(repo.path):
        with Repository.open(repo.path) as there:
            assert there.state.is_own()
            assert excluded(repo.path) == []
    monkeypatch.setattr(mark, "_inode", lambda _: (7, 0))
    for here in (machine, "another"):
        monkeypatch.setattr(mark, "machine", lambda here=here: here)
        Repository.open(repo.path).close()
    seen = excluded(repo.path)
    for here in (machine, "another", machine):
        monkeypatch.setattr(mark, "machine", lambda here=here: here)
        Repository.open(repo.path).close()
    assert excluded(repo.path) == seen, "a home on a network: both machines are known by then"


def test_a_companion_of_an_older_perdure_goes_on(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state has no mark; a lease tells machine and folder, so what a crash left counts."""
    monkeypatch.setattr(mark, "machine_id", lambda: "secret")
    say(repo, b"one")
    leave_remains(repo)
    (repo.state_dir / "mark").unlink()
    with Repository.open(repo.path) as again:
        assert excluded(repo.path) == []
        assert not (repo.git_dir / "index.lock").exists()
        assert [left.text for left in leftover(again)] == ["I am he"]
        assert fits(again)


@pytest.mark.parametrize("guess", ["another machine", "no id"])
def test_an_older_one_of_elsewhere_does_not(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, guess: str
) -> None:
    """A machine without an id is known by its name, which a stranger may guess."""
    monkeypatch.setattr(mark, "machine_id", lambda: "" if guess == "no id" else "secret")
    say(repo, b"one")
    repo.close()
    (repo.state_dir / "mark").unlink()
    if guess == "another machine":
        for lease in (repo.state_dir / "leases").iterdir():
            lease.write_text(lease.read_text().replace('"place": ["', '"place": ["x'))
    assert not is_its_own(repo.path)


def test_an_index_from_elsewhere_is_not_read(repo: Repository, tmp_path: Path) -> None:
    """Not by a command that only reads, and not from a folder that cannot be written either."""
    copy = cp(repo.path, tmp_path / "copy")
    cache = copy / ".git" / "perdure" / "cache"
    cache.mkdir(exist_ok=True)
    (cache / "recall-1-x.sqlite").write_bytes(b"a stranger's")
    with Repository.open(copy, recover=False) as there:
        assert (cache / "recall-1-x.sqlite").exists(), "nothing is touched before it is needed"
        assert list(there.cache_dir.glob("*")) == []
        assert not (cache / "recall-1-x.sqlite").exists()
    again = cp(repo.path, tmp_path / "again")
    shutil.rmtree(again / ".git" / "perdure" / "cache", ignore_errors=True)
    (again / ".git" / "perdure" / "aside" / "lock").unlink()
    (again / ".git" / "perdure" / "aside" / "lock").mkdir()
    with Repository.open(again, recover=False) as there:
        assert not there.cache_dir.exists()
        assert there.cache_dir.name.startswith("no-cache-")


@pytest.mark.parametrize("place", ["held", "spare", "journals", "leases", "packs", "commit.lock"])
def test_state_that_is_no_state_is_moved_away_alone(repo: Repository, place: str) -> None:
    """A folder for a file, a file for a folder: later commands are not held up, the rest stays."""
    say(repo, b"one")
    (repo.state_dir / "draft.txt").write_text("not sent yet")
    repo.close()
    odd = repo.state_dir / place
    if odd.is_dir():
        shutil.rmtree(odd)
    else:
        odd.unlink(missing_ok=True)
    odd.write_bytes(b"x") if place in mark._FOLDERS else odd.mkdir()
    with Repository.open(repo.path) as again:
        assert again.recovery_trouble == ""
        assert (again.state_dir / "draft.txt").read_text() == "not sent yet"
        assert excluded(repo.path) == []
        (moved,) = (repo.git_dir / "perdure" / "odd").iterdir()
        assert moved.name.startswith(place)
        say(again, b"two")


@pytest.mark.parametrize("place", ["held/a", "spare/1", "journals/1.journal", f"leases/{TALK}"])
def test_a_folder_where_a_file_should_be_holds_nothing_up(repo: Repository, place: str) -> None:
    repo.close()
    (repo.state_dir / place / "x").mkdir(parents=True)
    with Repository.open(repo.path) as again:
        assert again.recovery_trouble == ""
        again.commit([Change("a.md", b"x")], message="x", author=MIRA, branch="main")
        if not place.startswith("leases"):
            say(again, b"two")


# Any bytes in any state file


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A companion with a branch, a tag and operations, beside files of its user."""
    folder = tmp_path_factory.mktemp("life")
    path = folder / "mira"
    files = {"companion.yaml": b"format: 1\n", "persona/10-who.md": b"I am Mira.\n"}
    with create_repository(path, files, message="companion: begin", author=MIRA) as repo:
        say(repo, b"one")
        tip = repo.resolve("main")
        perform(repo, "branch", "w", [RefMove("refs/heads/w", None, tip)], author=MIRA)
        say(repo, b"two")
    (folder / "thesis.txt").write_text("precious")
    (folder / "victim").mkdir()
    subprocess.run(["git", "init", "-q", str(folder / "victim")], check=True)
    return path


def _id(path: Path, rev: str) -> str:
    with Repository.open(path, recover=False) as repo:
        return repo.resolve(rev)


words = st.sampled_from(
    ["", ".", "..", "main", "w", "worktrees/w", "worktrees/..", "refs/heads/main", "refs/heads/x",
     "refs/perdure/ops", "refs/heads/../../../thesis.txt", "../../thesis.txt", "../thesis.txt",
     "MERGE_HEAD", "HEAD", "persona/10-who.md", "a\0b", "\ud800", "x" * 300, ".git/config",
     "merge", "TIP", "OLD", "0" * 40, "/etc/passwd", "THESIS", "THESIS.lock"]
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
)
_rows = st.lists(st.tuples(words, st.none() | words, st.none() | words), max_size=3) | anything
plans = st.fixed_dictionaries(
    {
        "op": words, "log": st.none() | words, "moves": _rows,
        "before": st.tuples(words, words) | anything, "after": st.tuples(words, words) | anything,
        "own": words,
    },
    optional={
        "version": st.just(1), "boot": words, "locks": st.lists(st.tuples(words, st.integers()))
        | anything, "done": st.lists(words, max_size=3) | anything,
        "accepted": st.dictionaries(words, st.lists(words, max_size=2), max_size=2) | anything,
        "kind": words, "paths": st.dictionaries(words, st.lists(words, max_size=2), max_size=2)
        | anything, "forced": st.lists(words, max_size=2) | anything,
    },
)  # fmt: skip
texts = (anything | plans).map(json.dumps).map(str.encode) | st.binary(max_size=60)
FILES = (
    "operation.json", "level-main.json", f"leases/{TALK}", "packs", "packed", "packing.failed",
    "held/index.7", "held/..%2F..%2F..%2Fthesis.txt.7", "held/.7", "held/%00.7", "spare/x",
)  # fmt: skip


def beside(life: Path) -> list[dict[str, bytes | str]]:
    """The user's own files, and that nothing has joined them."""
    rest = [path for path in sorted(life.parent.iterdir()) if path != life]
    return [
        snapshot(path) | {path.name: path.read_bytes() if path.is_file() else ""} for path in rest
    ]


def check(life: Path, act: Callable[[Repository], object]) -> None:
    """Own errors or none; nothing outside is touched; the companion is usable afterwards."""
    before = beside(life)
    for number in range(2):
        with Repository.open(life) as repo:
            try:
                act(repo)
            except HistoryError:
                assert number == 0, "it holds up nothing a second time"
    assert beside(life) == before


def use(repo: Repository) -> None:
    """One of each: a turn, a listing, an operation."""
    assert repo.state.is_own()
    leftover(repo)
    say(repo, os.urandom(4))
    operations(repo, 3)
    tip, name = repo.resolve("main"), f"refs/heads/b{os.urandom(4).hex()}"
    perform(repo, "branch", "b", [RefMove(name, None, tip)], author=MIRA)


suite = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=max(8, settings().max_examples // 4),
)


@suite
@given(name=st.sampled_from(FILES), data=texts)
@example(name="operation.json", data=b"{}")
@example(name="operation.json", data=b"[" * 100_000)
@example(name="level-main.json", data=b'{"main": {"../thesis.txt": [null]}}')
@example(name="level-main.json", data=b'{"main": {"persona/10-who.md": 3}, "x": []}')
@example(name="packs", data=b"9" * 5000 + b" pack-x\n")
def test_any_bytes_in_a_state_file(life: Path, name: str, data: bytes) -> None:
    tip = _id(life, "main")
    data = data.replace(b'"TIP"', b'"%s"' % tip.encode())
    data = data.replace(b'"OLD"', b'"%s"' % _id(life, "main~1").encode())
    data = data.replace(b"THESIS", os.fsencode(life.parent / "thesis.txt"))
    place = life / ".git" / "perdure" / "state" / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_bytes(data)
    check(life, use)


@suite
@given(data=st.lists(anything | plans, max_size=3), cut=st.integers(0, 30))
def test_any_records_in_a_journal(life: Path, data: list[object], cut: int) -> None:
    import zlib

    lines = []
    for row in [{"begin": {}, "recent": data, "boot": "x"}, *data]:
        body = json.dumps(row).encode()
        lines.append(b"0123abcd %08x %s\n" % (zlib.crc32(body), body))
    whole = b"".join(lines)
    journals = life / ".git" / "perdure" / "state" / "journals"
    journals.mkdir(exist_ok=True)
    (journals / "7-x.journal").write_bytes(whole[: len(whole) - cut] if cut > 20 else whole)
    check(life, use)
    for path in journals.glob("*.journal"):
        path.unlink()


@suite
@given(plan=plans)
def test_a_plan_that_the_log_of_operations_names(life: Path, plan: dict[str, object]) -> None:
    """Its commit is there, so that it would be carried out."""
    with Repository.open(life, recover=False) as repo:
        op = repo.parts().refs.read("refs/perdure/ops")
        tip = repo.resolve("main")
    data = json.dumps({**plan, "op": op}).replace('"TIP"', f'"{tip}"')
    (life / ".git" / "perdure" / "state" / "operation.json").write_text(data)
    check(life, use)
    subprocess.run(["git", "-C", str(life), "symbolic-ref", "HEAD", "refs/heads/main"], check=True)


_lines = st.lists(
    st.tuples(
        st.sampled_from(
            ["Ref", "Head-Before", "Head-After", "Position", "Position-Before", "Undoes", "Redoes",
             "Redo", "Redo-Before", "Stands-For", "Device"]
        ),
        st.lists(words, max_size=3).map(" ".join),
    ).map(": ".join),
    max_size=8,
)  # fmt: skip


@suite
@given(subject=st.sampled_from(["rewind: x", "undo: x", "\x1b: y", ""]), lines=_lines)
def test_any_entry_in_the_log_of_operations(life: Path, subject: str, lines: list[str]) -> None:
    """It is a commit like any other, and may come from anywhere."""
    tip = _id(life, "main")
    log = _id(life, "refs/perdure/ops")
    text = "\n".join([subject, "", f"Head-After: main {tip}", *lines]).replace("TIP", tip)
    data = text.encode("utf-8", "surrogatepass").replace(b"\0", b"")
    tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    made = subprocess.run(
        ["git", "-C", str(life), "-c", "user.name=x", "-c", "user.email=x@y", "commit-tree", tree,
         "-p", log, "-F", "-"],
        input=data, capture_output=True, check=True,
    )  # fmt: skip
    entry = made.stdout.decode().strip()
    subprocess.run(["git", "-C", str(life), "update-ref", "refs/perdure/ops", entry], check=True)

    def back(repo: Repository) -> None:
        operations(repo, 5)
        use(repo)
        with contextlib.suppress(HistoryError):
            undo(repo, author=MIRA)

    check(life, back)
    subprocess.run(["git", "-C", str(life), "update-ref", "refs/perdure/ops", log], check=True)
    subprocess.run(["git", "-C", str(life), "symbolic-ref", "HEAD", "refs/heads/main"], check=True)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("shallow", b"\xff\xfe\0garbage\n"),
        ("shallow", b"x" * 41),
        ("packed-refs", b"\xff\xfe\0\n" + b"0" * 40 + b" refs/heads/../../../thesis.txt\n"),
        ("HEAD", b"\xff\xfe"),
        ("HEAD", b"ref: ../../thesis.txt\n"),
        ("HEAD", b"ref: refs/heads/a\0b\n"),
        ("HEAD", b""),
        ("config", b"\xff\xfe[core\n\0"),
        ("index", b"\xff\xfe"),
        ("MERGE_HEAD", b"\xff\xfe"),
        ("MERGE_HEAD", b"../../thesis.txt\n"),
        ("gc.pid", b"\xff\xfe"),
        ("refs/heads/main", b"ref: ../../../thesis.txt\n"),
        ("refs/heads/w", b"\xff\xfe"),
        ("objects/info/alternates", b"\xff\xfe\0/x\n"),
        ("worktrees/x/gitdir", b"\xff\xfe\0"),
        ("worktrees/x/HEAD", b"\xff\xfe\0"),
        ("gc.pid", b"9" * 40 + b" host"),
        ("HEAD", b"ref: refs/heads/" + b"x" * 300),
        ("HEAD", b"x" * 100_000),
        ("refs/heads/w", b"x" * 100_000),
        ("refs/heads/main~pid.lock", b"pid " + b"9" * 40),
        ("config", b"x" * (17 << 20)),
    ],
    ids=itertools.count(),
)
def test_files_of_gits_that_hold_garbage(repo: Repository, name: str, data: bytes) -> None:
    """An error of our own, or none."""
    tip = repo.resolve("main")
    perform(repo, "branch", "w", [RefMove("refs/heads/w", None, tip)], author=MIRA)
    place = repo.git_dir / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    acts: list[Callable[[Repository], object]] = [
        lambda repo: list(repo.commits.log()),
        lambda repo: repo.state_of_work(),
        lambda repo: operations(repo, 5),
        lambda repo: repo.edits.find(["persona"]),
        use,
    ]
    for act in acts:
        try:
            with Repository.open(repo.path) as again:
                act(again)
        except HistoryError:
            continue


def test_a_twin_does_not_lead_out_of_the_git_folder(repo: Repository, tmp_path: Path) -> None:
    """The lock of a twin is looked for inside only, whatever the twin is called."""
    outside = tmp_path / "thesis.lock"
    outside.write_bytes(b"precious")
    held = repo.state_dir / "held"
    held.mkdir(exist_ok=True)
    (held / "..%2F..%2Fthesis.9").hardlink_to(outside)
    lock = GitLock(repo.git_dir, held, repo.git_dir / "index")
    lock.release()
    Repository.open(repo.path).close()
    assert outside.read_bytes() == b"precious"
    assert not any(held.iterdir())
