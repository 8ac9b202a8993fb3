"""Trees that git's own commands never write: nothing of them gets onto the disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perdure.git.errors import BadPath, HistoryError, TooManyFiles
from perdure.git.index import file as index_file
from perdure.git.merge.merge import merge
from perdure.git.objects import tree_budget
from perdure.git.objects.commit import render_commit
from perdure.git.objects.store import object_id
from perdure.git.objects.tree import parse_tree, render_tree
from perdure.git.objects.tree_diff import TreeComparer
from perdure.git.operations import branches, operation
from perdure.git.paths import is_path, raw_name, tree_name
from perdure.git.refs.refs import RefMove
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.undo.perform import redo, undo
from perdure.git.worktree.files import NotRegular, WorkTree
from tests.git.conftest import Git

WHO = Author("Eve", "eve@example.org")
BLOB = b"touch PWNED\n"
FILE, FOLDER, LINK, MODULE = b"100644", b"40000", b"120000", b"160000"

# Each is the way to one blob, through folders of these raw names.
UNWRITABLE = [
    (b"..", b"..", b".bashrc"),
    (b"..", b"x"),
    (b".", b"companion.yaml"),
    (b"", b"x"),
    (b"",),
    (b"../../.bashrc",),
    (b"/etc/x",),
    (b"a/../../x",),
    (b".git", b"hooks", b"post-checkout"),
    (b".git/hooks/post-checkout",),
    (b".git",),
    (b".GIT", b"config"),
    (b".gIt", b"config"),
    (b"git~1", b"config"),
    (b"GIT~1", b"config"),
    (b".git.", b"config"),
    (b".git ", b"config"),
    (b".git . .", b"config"),
    (b".git::$INDEX_ALLOCATION", b"config"),
    (b".git:stream",),
    (b"git~1::$INDEX_ALLOCATION", b"config"),
    (b".git\\config",),
    (b"a\\.git\\config",),
    (b"..\\..\\x",),
    (".g\u200cit".encode(), b"config"),
    ("\ufeff.GI\u200dT".encode(), b"config"),
    (".git\u202e".encode(), b"config"),
    (b"persona", b"..", b"..", b"x"),
    (b"persona", b".git", b"config"),
    (b"persona", b"n" * 256),
    (b"deep",) * 129,
]
GOOD = [".gitignore", ".github/x", "git~2", "a..b", "...", "..a", ".gitx", "a\\b", "n" * 255]


def put(repo: Repository, kind: bytes, data: bytes) -> str:
    oid = object_id(kind, data)
    repo.parts().writer.packs.write([(oid, kind, data)]).release()
    return oid


def rows_of(repo: Repository, tree: str) -> list[tuple[bytes, bytes, str]]:
    found = repo.parts().trees.entries(tree)
    return [(b"%o" % mode, raw_name(name), oid) for name, (mode, oid) in found.items()]


def tree(repo: Repository, rows: list[tuple[bytes, bytes, str]]) -> str:
    """A tree of raw entries, in git's order and unchecked."""
    ordered = sorted(rows, key=lambda row: row[1] + b"/" * (row[0] == FOLDER))
    body = b"".join(m + b" " + name + b"\0" + bytes.fromhex(oid) for m, name, oid in ordered)
    return put(repo, b"tree", body)


def with_entry(
    repo: Repository, base: str | None, way: tuple[bytes, ...], mode: bytes = FILE
) -> str:
    rows = rows_of(repo, base) if base else []
    name, *rest = way
    if rest:
        inner = next((oid for m, n, oid in rows if n == name and m == FOLDER), None)
        oid, mode = with_entry(repo, inner, tuple(rest), mode), FOLDER
    else:
        oid = "12" * 20 if mode == MODULE else put(repo, b"blob", BLOB)
    return tree(repo, [*(row for row in rows if row[1] != name), (mode, name, oid)])


def commit(repo: Repository, root: str, *parents: str, says: str = "persona: warmer") -> str:
    at = datetime.now(UTC)
    data = render_commit(tree=root, parents=parents, author=WHO, at=at, message=f"{says}\n")
    return put(repo, b"commit", data)


def set_ref(repo: Repository, name: str, commit_id: str) -> None:
    path = repo.git_dir / "refs" / "heads" / name
    path.write_text(f"{commit_id}\n")


def seen(repo: Repository) -> dict[str, str]:
    """All files but our own state, objects, and what a move of branches rightly touches."""
    top = repo.path.parent
    found = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_file() and not any(
            part in name
            for part in (".git/perdure", ".git/objects", ".git/refs", ".git/logs", ".git/index")
        ):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


# Those that are tried through every door; all are tried where files are opened.
DOORS = [UNWRITABLE[i] for i in (0, 2, 3, 4, 5, 8, 9, 16, 24, 27, 30)]


@pytest.fixture(params=DOORS, ids=lambda way: repr(b"|".join(way))[2:30])
def way(request: pytest.FixtureRequest) -> tuple[bytes, ...]:
    door: tuple[bytes, ...] = request.param
    return door


@pytest.fixture
def calm(repo: Repository) -> Iterator[Callable[[], None]]:
    before = seen(repo)

    def check() -> None:
        assert seen(repo) == before

    yield check
    check()


def name_in(error: pytest.ExceptionInfo[BaseException]) -> None:
    problem = error.value
    assert isinstance(problem, BadPath)
    assert "nothing was changed" in str(problem).lower()


def test_a_branch_with_an_unwritable_name_is_read_and_never_checked_out(
    repo: Repository, way: tuple[bytes, ...], calm: Callable[[], None]
) -> None:
    main = repo.resolve("main")
    odd = commit(repo, with_entry(repo, repo.commit_info(main).tree, way), main)
    set_ref(repo, "odd", odd)
    assert [info.id for info in repo.commits.log(rev="odd")] == [odd, main]
    (change,) = repo.commits.changed(odd)
    assert not is_path(change.path)
    comparer = TreeComparer(repo.parts().store.read)
    assert comparer.difference(repo.commit_info(main).tree, repo.commit_info(odd).tree) == [change]
    assert repo.read("persona/10-who.md", odd) == b"I am Mira.\n"
    with pytest.raises(BadPath) as switched:
        branches.switch(repo, "odd", author=WHO)
    name_in(switched)
    with pytest.raises(BadPath) as joined:
        merge(repo, "odd", author=WHO)
    name_in(joined)
    assert repo.head().commit == main


def test_a_merge_of_two_lines_refuses_the_name_before_anything_is_changed(
    repo: Repository, way: tuple[bytes, ...]
) -> None:
    main = repo.resolve("main")
    set_ref(repo, "odd", commit(repo, with_entry(repo, repo.commit_info(main).tree, way), main))
    repo.commit([Change("persona/30.md", b"new\n")], message="x\n", author=WHO, branch="main")
    before, tip = seen(repo), repo.resolve("main")
    with pytest.raises(HistoryError):
        merge(repo, "odd", author=WHO)
    assert (seen(repo), repo.resolve("main")) == (before, tip)


def test_undo_and_redo_over_a_commit_with_an_unwritable_name(
    repo: Repository, way: tuple[bytes, ...], calm: Callable[[], None]
) -> None:
    """The tip is clean, its parent is not: going back would write it."""
    main = repo.resolve("main")
    clean = repo.commit_info(main).tree
    odd = commit(repo, with_entry(repo, clean, way), main)
    tip = commit(repo, clean, odd, says="persona: tidy")
    set_ref(repo, "main", tip)
    with pytest.raises(BadPath) as undone:
        undo(repo, author=WHO)
    name_in(undone)
    assert repo.head().commit == tip
    with pytest.raises(BadPath):
        operation.perform(
            repo, "rewind", "x", [RefMove("refs/heads/back", None, odd)], author=WHO, head="back"
        )
    # Past it there is nothing to write.
    moved = [RefMove("refs/heads/main", tip, main)]
    operation.perform(repo, "rewind", "x", moved, author=WHO)
    assert repo.resolve("main") == main
    undo(repo, author=WHO)
    redo(repo, author=WHO)


def test_a_tip_with_an_unwritable_name_is_talked_on_and_left(
    repo: Repository, way: tuple[bytes, ...], git: Git
) -> None:
    """As after `git pull` or `git fetch` with a ref moved by hand."""
    main = repo.resolve("main")
    root = with_entry(repo, repo.commit_info(main).tree, way)
    odd = commit(repo, root, main)
    set_ref(repo, "main", odd)
    before = seen(repo)
    assert repo.edits.find(["persona"]).ready == []
    assert repo.diff(None, None) == []
    new = repo.commit([Change("lore/a.md", b"a\n")], message="x\n", author=WHO, branch="main")
    assert way[0] in {name for _, name, _ in rows_of(repo, repo.commit_info(new).tree)}
    assert git("ls-files", "lore") == "lore/a.md\n"
    (repo.git_dir / "index").unlink()
    repo.commit([Change("lore/b.md", b"b\n")], message="x\n", author=WHO, branch="main")
    assert git("ls-files", "lore") == "lore/a.md\nlore/b.md\n"
    undo(repo, author=WHO)
    undo(repo, author=WHO)
    undo(repo, author=WHO)
    assert repo.resolve("main") == main
    assert seen(repo) == before


@pytest.mark.parametrize("mode", [LINK, MODULE])
@pytest.mark.parametrize("name", [b"lore", b"persona", b".git", b"link"])
def test_links_and_submodules_are_not_checked_out(
    repo: Repository, mode: bytes, name: bytes, calm: Callable[[], None]
) -> None:
    main = repo.resolve("main")
    root = with_entry(repo, repo.commit_info(main).tree, (name,), mode)
    set_ref(repo, "odd", commit(repo, root, main))
    for act in (
        lambda: branches.switch(repo, "odd", author=WHO),
        lambda: merge(repo, "odd", author=WHO),
    ):
        with pytest.raises(HistoryError):
            act()
    assert repo.head().commit == main


def test_a_link_on_the_way_is_never_written_through(repo: Repository, tmp_path: Path) -> None:
    """A commit has a link where a later one has a folder, in one tree by two entries of a name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    main = repo.resolve("main")
    rows = rows_of(repo, repo.commit_info(main).tree)
    link = (LINK, b"lore", put(repo, b"blob", str(outside).encode()))
    inner = tree(repo, [(FILE, b"x", put(repo, b"blob", BLOB))])
    set_ref(repo, "twice", commit(repo, tree(repo, [*rows, link, (FOLDER, b"lore", inner)]), main))
    (repo.path / "lore").symlink_to(outside)
    with pytest.raises(HistoryError):
        branches.switch(repo, "twice", author=WHO)
    assert list(outside.iterdir()) == []


def test_of_names_that_differ_in_case_none_overwrites_the_other(repo: Repository) -> None:
    main = repo.resolve("main")
    rows = rows_of(repo, repo.commit_info(main).tree)
    twins = [(FILE, name, put(repo, b"blob", name)) for name in (b"A.md", b"a.md")]
    set_ref(repo, "twins", commit(repo, tree(repo, [*rows, *twins]), main))
    branches.switch(repo, "twins", author=WHO)
    assert {path.read_bytes() for path in repo.path.glob("?.md")} <= {b"A.md", b"a.md"}


def test_the_work_tree_refuses_a_path_whoever_names_it(repo: Repository) -> None:
    work = WorkTree(repo.path, repo.state_dir / "spare")
    stat = (repo.path / "companion.yaml").stat()
    acts: list[Callable[[str], object]] = [
        lambda path: work.write(path, b"x", over=None, synced=True),
        lambda path: work.remove(path, over=stat),
        work.sync,
        work.clear,
    ]
    for way in UNWRITABLE:
        path = b"/".join(way).decode("utf-8", "surrogateescape")
        with pytest.raises(NotRegular):
            work.read(path)
        assert work.stat(path) is None
        for act in acts:
            with pytest.raises(BadPath):
                act(path)
        with pytest.raises(index_file.IndexTrouble):
            index_file.entry_bytes(b"/".join(way), 0o100644, "12" * 20, None)


@pytest.mark.parametrize("path", GOOD)
def test_names_that_only_look_alike_are_plain_names(path: str) -> None:
    assert is_path(path)


def test_what_is_unwritable_to_git_is_unwritable_to_us(repo: Repository, git: Git) -> None:
    """Git's ``verify_path``, asked through `update-index` with the rules of every system."""
    oid = put(repo, b"blob", BLOB)
    rules = ("-c", "core.protectHFS=true", "-c", "core.protectNTFS=true")
    paths = {b"/".join(way) for way in UNWRITABLE} | {name.encode() for name in GOOD}
    for path in paths - {b""}:
        line = b"100644 " + oid.encode() + b"\t" + path + b"\0"
        git(*rules, "update-index", "--add", "-z", "--index-info", data=line, check=False)
    taken = set(git("ls-files", "-z").encode("utf-8", "surrogateescape").split(b"\0"))
    ours = {path for path in paths if is_path(path.decode("utf-8", "surrogateescape"))}
    # git takes long and deep ones, and a name that is no way up but on Windows.
    beyond = {path for path in taken & paths - ours if len(path) > 255 or b"..\\" in path}
    assert taken & paths - {b""} == ours | beyond
    assert len(beyond) == 3


def test_marked_names_are_written_back_as_they_were() -> None:
    for raw in (b"", b"/", b"//", b"a/b", b"/a", b"a/", b"plain", b"\xff/\xfe"):
        assert raw_name(tree_name(raw)) == raw
    names = [tree_name(raw) for raw in (b"", b"/", b"//", b"a/b", b"ab")]
    assert len(set(names)) == len(names)
    data = b"100644 a/b\0" + bytes(20) + b"40000 \0" + bytes(20)
    assert parse_tree(render_tree(parse_tree(data))) == parse_tree(data)


def test_a_tree_that_holds_itself_many_times_ends(repo: Repository) -> None:
    """Ten folders of ten folders, and so on: ten billion files in eleven small objects."""
    main = repo.resolve("main")
    inner, mode = put(repo, b"blob", BLOB), FILE
    for _ in range(10):
        inner = tree(repo, [(mode, b"%d" % number, inner) for number in range(10)])
        mode = FOLDER
    rows = rows_of(repo, repo.commit_info(main).tree)
    bomb = commit(repo, tree(repo, [*rows, (FOLDER, b"lore", inner)]), main)
    set_ref(repo, "bomb", bomb)
    with pytest.raises(TooManyFiles):
        repo.files("", "bomb")
    with pytest.raises(TooManyFiles):
        branches.switch(repo, "bomb", author=WHO)
    assert repo.read("persona/10-who.md", "bomb") == b"I am Mira.\n"


@pytest.mark.parametrize("shape", ["the same ten", "two that share all"])
def test_a_tree_without_end_is_counted_by_few_looks(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """More files than stars, in a few dozen trees: not walked until the bound is met."""
    leaves = [put(repo, b"blob", b"%d" % number) for number in range(2)]
    mode, count = FILE, 5 if shape == "two that share all" else 10
    for depth in range(40):
        rows = [(mode, b"%d" % n, leaves[n % 2]) for n in range(count)]
        marks = [(FILE, b"m", put(repo, b"blob", b"%d %d" % (depth, n))) for n in range(2)]
        leaves, mode = [tree(repo, [*rows, mark]) for mark in marks], FOLDER
    monkeypatch.setattr(tree_budget, "_FREELY", 100)
    taken = []
    take = tree_budget.WalkCount.take

    def counted(self: tree_budget.WalkCount, entries: int) -> None:
        taken.append(entries)
        take(self, entries)

    monkeypatch.setattr(tree_budget.WalkCount, "take", counted)
    trees = repo.parts().trees
    comparer = TreeComparer(repo.parts().store.read)
    for act in (
        lambda: list(trees.leaves(leaves[0])),
        lambda: trees.difference(None, leaves[0]),
        lambda: comparer.difference(None, leaves[0]),
    ):
        taken.clear()
        with pytest.raises(TooManyFiles):
            act()
        assert sum(taken) < 200


def test_many_files_that_are_all_there_are_walked_to_the_end(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = put(repo, b"blob", BLOB)
    inner = tree(repo, [(FILE, b"%d" % number, blob) for number in range(9)])
    root = tree(repo, [(FOLDER, b"%d" % number, inner) for number in range(9)])
    monkeypatch.setattr(tree_budget, "_FREELY", 20)
    trees = repo.parts().trees
    assert len(list(trees.leaves(root))) == len(trees.difference(None, root)) == 81
    assert len(TreeComparer(repo.parts().store.read).difference(None, root)) == 81
    monkeypatch.setattr(tree_budget, "MOST_FILES", 89)
    with pytest.raises(TooManyFiles):
        list(trees.leaves(root))


def test_folders_without_end_are_not_opened(repo: Repository) -> None:
    main = repo.resolve("main")
    inner, objects = put(repo, b"blob", BLOB), []
    for depth in range(5000):
        body = (FOLDER if depth else FILE) + b" d\0" + bytes.fromhex(inner)
        inner = object_id(b"tree", body)
        objects.append((inner, b"tree", body))
    repo.parts().writer.packs.write(objects).release()
    rows = rows_of(repo, repo.commit_info(main).tree)
    deep = commit(repo, tree(repo, [*rows, (FOLDER, b"lore", inner)]), main)
    set_ref(repo, "deep", deep)
    (change,) = repo.commits.changed(deep)
    assert len(change.path) < 300
    assert repo.files("lore", "deep") == []
    with pytest.raises(BadPath):
        branches.switch(repo, "deep", author=WHO)


@pytest.mark.parametrize("act", ["write", "read", "remove", "reflog"])
def test_a_folder_swapped_for_a_link_between_look_and_open_leads_nowhere(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Swapped as late as can be: right before the folder itself is opened."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "main").write_text("mine\n")
    (outside / "10-who.md").write_text("mine\n")
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    work = WorkTree(repo.path, repo.state_dir / "spare")
    stat = (repo.path / "persona/10-who.md").stat()
    victim = repo.git_dir / "logs/refs/heads" if act == "reflog" else repo.path / "persona"
    opened = os.open
    swapped: list[str | Path] = []

    def swapping(path: str | Path, flags: int, *more: int, dir_fd: int | None = None) -> int:
        if Path(path).name == victim.name and not swapped and not victim.is_symlink():
            swapped.append(path)
            victim.rename(tmp_path / "away")
            victim.symlink_to(outside)
        return opened(path, flags, *more, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapping)
    tip = repo.resolve("main")
    acts: dict[str, Callable[[], object]] = {
        "write": lambda: work.write("persona/new.md", b"x", over=None, synced=True),
        "read": lambda: work.read("persona/10-who.md"),
        "remove": lambda: work.remove("persona/10-who.md", over=stat),
        "reflog": lambda: repo.parts().refs.note("refs/heads/main", tip, tip, b"x <x> 1 +0", "x"),
    }
    if act in {"read", "reflog"}:
        with pytest.raises((NotRegular, OSError)):
            acts[act]()
    else:
        assert not acts[act]()
    assert swapped
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before
