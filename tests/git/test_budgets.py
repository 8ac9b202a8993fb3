"""Objects that are larger than anybody reads: known by their headers, before they are unpacked."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perdure.git.errors import DamagedRepository, TooLargeObject, TooManyFiles
from perdure.git.objects.commit import parse_commit, render_commit
from perdure.git.objects.pack import PackFile, apply_delta
from perdure.git.objects.store import ObjectStore, object_id
from perdure.git.packs.delta import entry_header, full_entry
from perdure.git.packs.write import PackStream
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.timeline.query import Query
from tests.git.conftest import Git

MIB = 1024 * 1024
ANA = Author("Ana", "ana@example.org")


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Bytes that were asked for at once since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def giant(repo: Repository, size: int) -> str:
    """A loose blob of ``size`` bytes of the letter x, made without holding it."""
    head = b"blob %d\0" % size
    digest, engine = hashlib.sha1(head, usedforsecurity=False), zlib.compressobj()
    packed = [engine.compress(head)]
    for _ in range(size // MIB):
        digest.update(b"x" * MIB)
        packed.append(engine.compress(b"x" * MIB))
    oid = digest.hexdigest()
    path = repo.git_dir / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join([*packed, engine.flush()]))
    return oid


@pytest.mark.parametrize("where", ["loose", "in a pack"])
def test_a_giant_is_refused_by_its_header(
    repo: Repository, git: Git, where: str, peak: Callable[[], int]
) -> None:
    oid = giant(repo, 400 * MIB)
    if where == "in a pack":
        tree = git("mktree", data=f"100644 blob {oid}\tx\n".encode()).strip()
        git("update-ref", "refs/heads/big", git("commit-tree", tree, "-m", "x").strip())
        git("-c", "pack.window=0", "repack", "-adq")
        assert not (repo.git_dir / "objects" / oid[:2] / oid[2:]).exists()
    with Repository.open(repo.path) as again:
        assert again.size(oid) == 400 * MIB
        with pytest.raises(TooLargeObject) as error:
            again.blob(oid)
        assert error.value.size == 400 * MIB
        assert again.small(oid, MIB, b"no") == b"no"
        with pytest.raises(TooLargeObject):
            again.parts().store.read(oid)
    assert peak() < 16 * MIB


def packed(folder: Path, entries: list[tuple[bytes, bytes]]) -> PackFile:
    with PackStream(folder, len(entries), name="a") as stream:
        for oid, data in entries:
            stream.add(oid, data)
        stream.finish(read_back=False)
        stream.put_in_place()
    return PackFile(folder / "a.idx")


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def test_what_a_delta_makes_is_known_before(tmp_path: Path, peak: Callable[[], int]) -> None:
    base = b"x" * 0xFFFFFF
    copy_all = bytes([0x80 | 0x70]) + b"\xff\xff\xff"
    delta = varint(len(base)) + varint(100 * len(base)) + copy_all * 100
    first = full_entry(b"blob", base)
    second = entry_header(6, len(delta), len(first)) + zlib.compress(delta)
    pack = packed(tmp_path, [(b"\1" * 20, first), (b"\2" * 20, second)])
    at = pack.find(b"\2" * 20)
    assert at is not None
    assert pack.size(at) == (b"blob", 100 * len(base))
    with pytest.raises(TooLargeObject):
        pack.read(at, 64 * MIB)
    assert peak() < 64 * MIB


def test_a_delta_that_makes_more_than_it_says_ends(peak: Callable[[], int]) -> None:
    base = b"x" * 0xFFFFFF
    lies = varint(len(base)) + varint(10) + (bytes([0xF0]) + b"\xff\xff\xff") * 1000
    with pytest.raises(DamagedRepository):
        apply_delta(base, lies)
    assert peak() < 100 * MIB


def test_a_chain_of_large_deltas_is_refused_as_a_whole(tmp_path: Path) -> None:
    base = b"x" * (60 * MIB)
    at, entries = 12, [(b"\0" * 20, full_entry(b"blob", base))]
    size = len(entries[0][1])
    same = b"".join(
        bytes([0x80 | 0x0F | 0x70]) + struct.pack("<L", start) + b"\0\0\x10"
        for start in range(0, len(base), MIB)
    )
    for number in range(1, 40):
        delta = varint(len(base)) + varint(len(base)) + same
        entry = entry_header(6, len(delta), size) + zlib.compress(delta)
        entries.append((bytes([number]) * 20, entry))
        at, size = at + size, len(entry)
    pack = packed(tmp_path, entries)
    last = pack.find(bytes([39]) * 20)
    assert last is not None
    assert pack.size(last) == (b"blob", len(base))
    with pytest.raises(TooLargeObject):
        pack.read(last, 64 * MIB)


def test_a_loose_object_that_inflates_to_more_than_it_says(
    repo: Repository, peak: Callable[[], int]
) -> None:
    engine = zlib.compressobj()
    bomb = (
        engine.compress(b"blob 3\0")
        + b"".join(engine.compress(b"x" * MIB) for _ in range(200))
        + engine.flush()
    )
    path = repo.git_dir / "objects" / "ab" / ("cd" * 19)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bomb)
    with pytest.raises(DamagedRepository):
        ObjectStore(repo.git_dir / "objects").read("ab" + "cd" * 19)
    assert peak() < 8 * MIB


@pytest.mark.parametrize(
    "head", [b"", b"blob", b"blob \0", b"blob -1\0x", b"blob 1x\0x", b"blob 9" + b"9" * 70 + b"\0"]
)
def test_an_odd_header_is_damage(repo: Repository, head: bytes) -> None:
    path = repo.git_dir / "objects" / "ab" / ("cd" * 19)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(head))
    store = ObjectStore(repo.git_dir / "objects")
    with pytest.raises(DamagedRepository):
        store.read("ab" + "cd" * 19)
    with pytest.raises(DamagedRepository):
        store.size("ab" + "cd" * 19)


@pytest.mark.parametrize("name", ["", "../../x", "zz" * 20, "ab" * 19, "ab " * 13 + "a"])
def test_what_is_no_id_is_never_looked_for(repo: Repository, name: str) -> None:
    with pytest.raises(DamagedRepository):
        repo.parts().store.read(name)


def test_a_tree_of_a_million_names_is_refused_by_its_header(
    repo: Repository, peak: Callable[[], int]
) -> None:
    row = b"100644 %07d\0" + bytes(20)
    data = b"".join(row % number for number in range(480_000))
    oid = object_id(b"tree", data)
    repo.parts().writer.packs.write([(oid, b"tree", data)]).release()
    before = peak()
    with pytest.raises(TooManyFiles):
        repo.parts().trees.entries(oid)
    assert peak() - before < 4 * MIB


def test_log_goes_on_over_a_commit_with_too_many_files(repo: Repository) -> None:
    main = repo.resolve("main")
    data = b"".join(b"100644 %07d\0" % number + bytes(20) for number in range(480_000))
    tree = object_id(b"tree", data)
    at = datetime.now(UTC)
    made = render_commit(tree=tree, parents=(main,), author=ANA, at=at, message="x\n")
    odd = object_id(b"commit", made)
    back = render_commit(
        tree=repo.commit_info(main).tree,
        parents=(odd,), author=ANA, at=at, message="y\n",
    )  # fmt: skip
    tip = object_id(b"commit", back)
    objects = [(tree, b"tree", data), (odd, b"commit", made), (tip, b"commit", back)]
    repo.parts().writer.packs.write(objects).release()
    (repo.git_dir / "refs/heads/main").write_text(f"{tip}\n")
    assert [info.id for info in repo.commits.log()] == [tip, odd, main]
    listed = [entry.commit.id for entry in repo.timeline().listing(tip, Query())]
    assert listed == [tip, odd, main]


def test_huge_messages_and_trailers_are_cut() -> None:
    head = b"tree " + b"a" * 40 + b"\nauthor " + b"<" * 500_000 + b"\n\n"
    info = parse_commit("x", head + b"subject\n\n" + b"words " * 500_000 + b"\n\nTurn: a/1\n")
    assert (info.subject, info.trailers) == ("subject", ())
    assert len(info.body) <= 16 * 1024
    many = b"subject\n\nRecalled: x\n" + b" y\n" * 100_000
    info = parse_commit("x", b"tree " + b"a" * 40 + b"\n\n" + many)
    assert len(info.trailers) == 1
    assert info.trailers[0][1].endswith("y y y")


@pytest.mark.parametrize("encoding", ["idna", "undefined", "rot13", "unicode_escape", "x\0", "é"])
def test_a_message_in_an_odd_encoding_is_read(encoding: str) -> None:
    head = b"tree " + b"a" * 40 + b"\nencoding " + encoding.encode() + b"\n\n"
    info = parse_commit("x", head + b"hello \\ud800\n")
    info.subject.encode()
    assert info.subject.startswith("hello")


@pytest.mark.parametrize("parent", [b"../../x", b"", b"zz", b"a" * 41])
def test_a_parent_that_is_no_id_is_damage(parent: bytes) -> None:
    with pytest.raises(DamagedRepository):
        parse_commit("x", b"tree " + b"a" * 40 + b"\nparent " + parent + b"\n\nx\n")


def test_a_giant_list_of_refs_is_refused_by_its_size(
    repo: Repository, git: Git, peak: Callable[[], int]
) -> None:
    git("pack-refs", "--all")
    with (repo.git_dir / "packed-refs").open("r+b") as file:
        file.truncate(400 * MIB)
    with (
        pytest.raises(DamagedRepository, match="packed-refs is larger"),
        Repository.open(repo.path) as again,
    ):
        again.head()
    assert peak() < 8 * MIB


def test_a_parent_that_is_named_often_counts_once() -> None:
    named = b"".join(b"parent %s\n" % (letter * 40) for letter in (b"b", b"c", b"b") * 1000)
    info = parse_commit("x", b"tree " + b"a" * 40 + b"\n" + named + b"\nx\n")
    assert info.parents == ("b" * 40, "c" * 40)


def test_a_giant_author_is_cut() -> None:
    head = b"tree " + b"a" * 40 + b"\nauthor " + b"V" * 5_000_000 + b" <v@e> 1 +0000\n\n"
    assert len(parse_commit("x", head + b"x\n").author.name) < 5000


def test_edits_beside_it_are_bounded(repo: Repository, peak: Callable[[], int]) -> None:
    with (repo.path / "persona/90-big.md").open("wb") as file:
        file.truncate(10 * 1024 * MIB)
    (repo.path / "persona/91-small.md").write_text("small\n")
    found = repo.edits.find(["persona"])
    assert [change.path for change in found.ready] == ["persona/91-small.md"]
    assert [path for path, _ in found.held] == ["persona/90-big.md"]
    assert peak() < 8 * MIB


def test_a_folder_with_too_many_files_is_named_and_left(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.worktree.edits.MOST_LISTED", 50)
    (repo.path / "lore").mkdir()
    for number in range(60):
        (repo.path / "lore" / f"{number}.md").write_text("x")
    (repo.path / "persona/30-new.md").write_text("new\n")
    found = repo.edits.find(["lore", "persona"])
    assert [change.path for change in found.ready] == ["persona/30-new.md"]
    assert [path for path, _ in found.held] == ["lore"]


def test_more_edits_than_are_taken_at_once_come_with_the_next_look(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.worktree.edits._MOST_EDITS", 5)
    (repo.path / "lore").mkdir()
    for number in range(8):
        (repo.path / "lore" / f"{number}.md").write_text("x")
    found = repo.edits.find(["lore"])
    assert len(found.ready) == 5
    assert [path for path, _ in found.held] == ["the rest"]
    repo.commit(found.ready, message="lore: some\n", author=ANA, branch="main")
    assert len(repo.edits.find(["lore"]).ready) == 3


def test_a_large_chunk_or_file_beside_others_is_still_committed_and_switched(
    repo: Repository, git: Git
) -> None:
    """What is large but not a giant goes along as ever."""
    data = b"x" * (20 * MIB)
    repo.commit([Change("assets/a.bin", data)], message="x\n", author=ANA, branch="main")
    assert (repo.path / "assets/a.bin").stat().st_size == len(data)
    assert git("status", "--porcelain") == ""
