from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.git.errors import StorageFull
from perdure.git.index import file as index_file
from perdure.git.index import patch as indexpatch
from perdure.git.index.file import IndexTrouble
from perdure.git.index.patch import IndexEdit
from perdure.git.objects.store import object_id
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")

names = st.sampled_from(["a", "a-b", "a0", "ab", "b", "B", "z", "ü", "a.md", "日", "x" * 60])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def drop_clashes(wanted: list[str]) -> list[str]:
    """Paths of which none is the folder of another."""
    kept: list[str] = []
    for path in wanted:
        if not any(p == path or p.startswith(f"{path}/") or path.startswith(f"{p}/") for p in kept):
            kept.append(path)
    return kept


def git_in(folder: str, *words: str, data: bytes | None = None) -> bytes:
    done = subprocess.run(
        ["git", "-C", folder, *words], capture_output=True, input=data, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    first=st.lists(paths, max_size=10, unique=True).map(drop_clashes),
    steps=st.lists(st.tuples(paths, st.booleans()), min_size=1, max_size=5),
    version=st.sampled_from([2, 3, 4]),
    trees=st.booleans(),
)
def test_a_patched_index_is_what_git_would_have(
    first: list[str], steps: list[tuple[str, bool]], version: int, *, trees: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        git_in(folder, "init", "-q")
        git_in(folder, "config", "index.threads", "2")
        blob = git_in(folder, "hash-object", "-w", "--stdin", data=b"one").decode().strip()
        other = git_in(folder, "hash-object", "-w", "--stdin", data=b"two").decode().strip()
        info = "".join(f"100644 {blob}\t{path}\0" for path in first)
        git_in(folder, "update-index", "-z", "--index-info", data=info.encode())
        git_in(folder, "update-index", "--index-version", str(version))
        if version == 3 and first:
            git_in(folder, "update-index", "--skip-worktree", first[0])
        if trees:
            git_in(folder, "write-tree")
        index = Path(folder) / ".git" / "index"
        if not index.exists():
            git_in(folder, "read-tree", "--empty")
        held = dict.fromkeys(first, blob)
        for path, remove in steps:
            if drop_clashes([*(p for p in held if p != path), path])[-1:] != [path]:
                continue
            new = None if remove else other
            edit = IndexEdit(path, frozenset({held.get(path)}), new, 0o100644, None)
            patched = indexpatch.patch(index.read_bytes(), [edit], folders={}, written=None)
            assert patched.left == []
            index.write_bytes(patched.data)
            if remove:
                held.pop(path, None)
            else:
                held[path] = other
        listed = git_in(folder, "ls-files", "-sz").split(b"\0")[:-1]
        expected = sorted((path.encode(), oid) for path, oid in held.items())
        assert listed == [b"100644 %s 0\t%s" % (oid.encode(), path) for path, oid in expected]
        # What git keeps of its cached trees agrees with the entries.
        tree = git_in(folder, "write-tree")
        git_in(folder, "read-tree", "--empty")
        info = "".join(f"100644 {oid}\t{path}\0" for path, oid in held.items())
        git_in(folder, "update-index", "-z", "--index-info", data=info.encode())
        assert git_in(folder, "write-tree") == tree


def test_cached_trees_are_brought_along(repo: Repository, git: Git) -> None:
    git("read-tree", "HEAD")
    git("update-index", "--refresh")
    path = "persona/10-who.md"
    repo.commit([Change(path, b"I am Mira!\n")], message="p", author=MIRA, branch="main")
    tree = bytes.fromhex(git("rev-parse", "HEAD^{tree}").strip())
    assert tree in (repo.git_dir / "index").read_bytes()
    assert git("write-tree").strip() == tree.hex()
    repo.commit([Change("persona/90.md", b"New\n")], message="p", author=MIRA, branch="main")
    assert git("write-tree").strip() == git("rev-parse", "HEAD^{tree}").strip()
    repo.commit([Change("lore/sea.md", b"Sea\n")], message="p", author=MIRA, branch="main")
    assert git("write-tree").strip() == git("rev-parse", "HEAD^{tree}").strip()


@pytest.mark.parametrize("earlier", [0, 10**8])
def test_a_file_changed_in_the_same_second_is_still_noticed(
    repo: Repository, git: Git, earlier: int
) -> None:
    """A file as old as the index may have changed, to git; our next write must not hide it.

    git compares whole seconds, unless it was built with USE_NSEC.
    """
    file = repo.path / "persona" / "10-who.md"
    index = repo.git_dir / "index"
    stamp = index.stat().st_mtime_ns // 10**9 * 10**9 - 10**9 + 5 * 10**8
    os.utime(file, ns=(stamp - earlier, stamp - earlier))
    git("update-index", "--refresh", check=False)
    os.utime(index, ns=(stamp, stamp))
    file.write_bytes(b"I am Ana.!\n")
    os.utime(file, ns=(stamp - earlier, stamp - earlier))
    with Repository.open(repo.path) as again:
        again.commit([Change("a.md", b"a")], message="x", author=MIRA, branch="main")
    assert git("status", "--porcelain") == " M persona/10-who.md\n"


@pytest.mark.parametrize("kind", ["garbage", "bad checksum"])
def test_an_index_that_cannot_be_patched_is_left_and_reported(
    repo: Repository, git: Git, kind: str
) -> None:
    index = repo.git_dir / "index"
    if kind == "garbage":
        index.write_bytes(b"DIRCgarbage" * 10)
    else:
        data = bytearray(index.read_bytes())
        data[30] ^= 1
        index.write_bytes(data)
    before = index.read_bytes()
    repo.commit([Change("a.md", b"a")], message="x", author=MIRA, branch="main")
    assert index.read_bytes() == before
    assert repo.writer.index_trouble
    assert git("show", "HEAD:a.md") == "a"


def test_a_missing_index_is_built_anew(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    (repo.git_dir / "index").unlink()
    repo.commit([Change("a.md", b"a")], message="x", author=MIRA, branch="main")
    sound()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_index_are_refused(data: bytes) -> None:
    with pytest.raises(IndexTrouble):
        list(index_file.entries(b"DIRC\0\0\0\2" + data))


def test_object_ids_are_gits(git: Git) -> None:
    assert object_id(b"blob", b"one\n") == git("hash-object", "--stdin", data=b"one\n").strip()


def test_a_landing_that_fails_halfway_leaves_no_wrong_idea_of_the_index(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from perdure.git.locks import GitLock
    from perdure.git.repository.turn_journal import Journal

    def put(path: str, journal: Journal | None = None) -> None:
        change = Change(path, path.encode())
        repo.commit([change], message="x", author=MIRA, branch="main", journal=journal)

    def full(lock: GitLock) -> None:
        raise OSError(28, "No space left on device")

    put("a.md")
    os.utime(repo.git_dir / "index", ns=(2**60, 2**60))
    put("b.md")
    with monkeypatch.context() as patch:
        patch.setattr(GitLock, "publish", full)
        with pytest.raises(StorageFull):
            put("lore/new.md", Journal.begin(repo, {}))
    assert not (repo.path / "lore" / "new.md").exists()
    put("c.md")
    put("lore/other.md")
    assert git("ls-files", "*.md").split() == [
        "a.md", "b.md", "c.md", "lore/other.md", "persona/10-who.md", "persona/20-voice.md"
    ]  # fmt: skip
    sound()
