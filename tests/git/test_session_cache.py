from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.index import file as index_file
from perdure.git.index import patch as indexpatch
from perdure.git.index.cache_tree import Way
from perdure.git.index.patch import IndexEdit
from perdure.git.index.session_cache import Folders, KeptIndex
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")
CHUNK = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"
WHO = "persona/10-who.md"
ONE, TWO, STAGED = "11" * 20, "22" * 20, "33" * 20
PATHS = ["a.md", "conversations/1/a.md", "conversations/1/b.md", "conversations/2/a.md", "p/q.md"]


@pytest.fixture(scope="module")
def with_trees() -> bytes:
    """An index with cached trees, as git writes it."""
    with tempfile.TemporaryDirectory() as folder:

        def git(*words: str, data: bytes | None = None) -> bytes:
            done = subprocess.run(
                ["git", "-C", folder, *words],
                input=data,
                capture_output=True,
                check=True,
            )
            return done.stdout

        git("init", "-q")
        blob = git("hash-object", "-w", "--stdin", data=b"one").decode().strip()
        rows = "".join(f"100644 {blob}\t{path}\0" for path in PATHS[:-1])
        git("update-index", "-z", "--index-info", data=rows.encode())
        git("write-tree")
        return (Path(folder) / ".git" / "index").read_bytes()


edits = st.tuples(
    st.sampled_from(PATHS), st.sampled_from([ONE, TWO, None]), st.sampled_from([0, 5, 9])
)


def first(step: tuple[str, str | None, int]) -> str:
    return step[0]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.lists(edits, min_size=1, max_size=2, unique_by=first), min_size=1, max_size=6
    ),
    known=st.booleans(),
)
def test_an_index_kept_is_an_index_patched(
    with_trees: bytes, steps: list[list[tuple[str, str | None, int]]], *, known: bool
) -> None:
    """Whatever is followed, divided, marked or left: byte for byte as by patching the file."""
    data = with_trees
    end, _ = index_file.find_fresh(data, index_file.check_header(data)[1], None)
    kept = KeptIndex(b"", data, end)
    for step in steps:
        present = index_file.below(data, [""])
        accepted = frozenset({None, *(slots[0].oid for slots in present.values())})
        wanted = [IndexEdit(p, accepted, oid, 0o100644, stat_at(when)) for p, oid, when in step]
        folders = cached(data, [p for p, _, _ in step]) if known else {}
        patched = indexpatch.patch(data, wanted, folders=folders, written=5 * 10**9)
        kept = kept.patched(wanted, folders)
        assert kept.before + kept.rest == patched.data
        kept = kept.published(stat_at(5), {edit.path: edit.stat for edit in wanted})
        data = patched.data


def stat_at(second: int) -> os.stat_result:
    """A file's stat of which only the time of writing tells anything."""
    times = {"st_mtime_ns": second * 10**9, "st_ctime_ns": second * 10**9}
    return os.stat_result((0o100644, 7, 1, 1, 0, 0, 11, second, second, second), times)


def cached(data: bytes, paths: list[str]) -> Folders:
    """Folders as a commit on top of the cached trees would have them."""
    end, _ = index_file.find_fresh(data, index_file.check_header(data)[1], None)
    trees = dict(index_file.extensions(data, end)).get(b"TREE", b"")
    ways = [Way.to(path, trees).ids.items() for path in paths]
    return {folder: (oid, oid[::-1] if oid else None) for ids in ways for folder, (_, oid) in ids}


def say(repo: Repository, text: str, path: str = CHUNK) -> None:
    repo.commit([Change(path, text.encode())], message="turn: x\n", author=MIRA, branch="main")


def test_a_turn_that_goes_on_changes_its_entry_only(
    repo: Repository, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    say(repo, "One.\n")
    with monkeypatch.context() as patch:
        patch.delattr(indexpatch, "patch")
        say(repo, "One. Two.\n")
        say(repo, "One. Two. Three.\n")
    assert repo.writer.index_trouble == ""
    sound()
    say(repo, "Elsewhere.\n", "lore/sea.md")
    say(repo, "One. Two. Three. Four.\n")
    sound()


def test_what_git_stages_between_two_turns_stays(repo: Repository, git: Git) -> None:
    say(repo, "One.\n")
    say(repo, "One. Two.\n")
    (repo.path / WHO).write_bytes(b"Edited.\n")
    git("add", WHO)
    say(repo, "One. Two. Three.\n")
    git("rm", "-q", "--cached", "persona/20-voice.md")
    say(repo, "One. Two. Three. Four.\n")
    assert git("diff", "--cached", "--name-status").split() == [
        "M",
        WHO,
        "D",
        "persona/20-voice.md",
    ]
    assert git("show", f"HEAD:{WHO}") == "I am Mira.\n"
    # The turn's own file, staged otherwise by hand, is its author's too.
    (repo.path / CHUNK).write_bytes(b"By hand.\n")
    git("add", CHUNK)
    say(repo, "One. Two. Three. Four. Five.\n")
    assert git("show", f":{CHUNK}") == "By hand.\n"


@pytest.mark.parametrize("is_hashed", [True, False])
def test_an_index_changed_in_place_is_noticed(
    repo: Repository, git: Git, *, is_hashed: bool
) -> None:
    """The same file, of the same size and the same moment: the hash at its end tells."""
    say(repo, "One.\n")
    say(repo, "One. Two.\n")
    index = repo.git_dir / "index"
    found, data = index.stat(), bytearray(index.read_bytes())
    staged = git("hash-object", "-w", "--stdin", data=b"Staged.\n").strip()
    (slot,) = index_file.below(bytes(data), [WHO])[WHO]
    data[slot.start + 40 : slot.start + 60] = bytes.fromhex(staged)
    # index.skipHash writes zeros.
    data[-20:] = (
        hashlib.sha1(data[:-20], usedforsecurity=False).digest() if is_hashed else bytes(20)
    )
    index.write_bytes(data)
    os.utime(index, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (index.stat().st_ino, index.stat().st_size) == (found.st_ino, found.st_size)
    say(repo, "One. Two. Three.\n")
    assert git("show", f":{WHO}") == "Staged.\n"
    assert git("show", f":{CHUNK}") == "One. Two. Three.\n"


def test_an_entry_as_young_as_the_index_is_marked_by_the_next_turn(with_trees: bytes) -> None:
    """Its file may change in the same second: git must read it once the index is younger."""
    end, _ = index_file.find_fresh(with_trees, index_file.check_header(with_trees)[1], None)
    kept = KeptIndex(b"", with_trees, end)
    for path in PATHS[:2]:
        stat = stat_at(5)
        edit = IndexEdit(path, frozenset({None, _oid(kept, path)}), TWO, 0o100644, stat)
        kept = kept.patched([edit], {}).published(stat_at(5), {path: stat})
    sizes = index_file.below(kept.before + kept.rest, PATHS[:2])
    assert [sizes[path][0].size for path in PATHS[:2]] == [0, 11]


def _oid(kept: KeptIndex, path: str) -> str:
    return index_file.below(kept.before + kept.rest, [path])[path][0].oid


def test_entries_below_folders_are_those_that_git_lists(repo: Repository, git: Git) -> None:
    (repo.path / "personal.md").write_bytes(b"No persona.\n")
    git("add", "-A")
    git("update-index", "--assume-unchanged", "persona/20-voice.md")
    for version in (2, 4):
        git("update-index", "--index-version", str(version))
        data = (repo.git_dir / "index").read_bytes()
        for wanted in (
            ["persona"],
            ["companion.yaml", "lore"],
            [WHO],
            [""],
            ["persona", "nowhere"],
        ):
            found = index_file.below(data, wanted)
            listed = git("ls-files", "-z", "--", *[w for w in wanted if w]).split("\0")[:-1]
            assert list(found) == listed
            assert all(slots == [s for s in index_file.entries(data) if s.path == p.encode()]
                       for p, slots in found.items())  # fmt: skip


def test_an_index_cut_short_is_refused() -> None:
    with pytest.raises(index_file.IndexTrouble):
        index_file.below(b"DIRC" + struct.pack(">LL", 2, 3) + bytes(20), ["a"])
