from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.git.errors import DamagedRepository, MissingObject
from perdure.git.objects.pack import PackFile, apply_delta
from perdure.git.objects.store import ObjectStore, object_id
from perdure.git.packs import small
from perdure.git.packs.delta import full_entry
from perdure.git.packs.write import PackStream
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")


def talk(repo: Repository, count: int, *, first: int = 0) -> dict[str, bytes]:
    """So many turns in one conversation of several chunks; what each chunk holds then."""
    dice = random.Random(first)
    chunks: dict[str, bytes] = {}
    for number in range(first, first + count):
        path = f"conversations/2026-11/22/chunk-{number // 10:04d}.md"
        text = repo.read(path) or b""
        chunks[path] = text + f"turn {number} {dice.random()} ".encode() * 20 + b"\n"
        change = Change(path, chunks[path])
        repo.commit([change], message=f"turn: {number}", author=MIRA, branch="main")
    return chunks


def pack_names(repo: Repository) -> set[str]:
    return {path.stem for path in (repo.git_dir / "objects" / "pack").glob("*.pack")}


def test_packs_stay_few_and_whole(
    repo: Repository, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 8)
    chunks = talk(repo, 40)
    assert len(pack_names(repo)) <= 8 + 40 // 8
    with Repository.open(repo.path) as again:
        assert {path: again.read(path) for path in chunks} == chunks
        assert sum(1 for _ in again.commits.log()) == 41
    sound()


def test_packs_of_others_and_marked_packs_are_not_joined(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    git("repack", "-q", "-ad")
    theirs = pack_names(repo)
    talk(repo, 2)
    marked = min(pack_names(repo) - theirs)
    (repo.git_dir / "objects" / "pack" / f"{marked}.keep").touch()
    talk(repo, 12, first=2)
    assert theirs | {marked} <= pack_names(repo)
    sound()


def test_a_multi_pack_index_goes_before_the_packs_that_it_names(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    talk(repo, 2)
    git("multi-pack-index", "write")
    git("commit-graph", "write", "--reachable")
    talk(repo, 6, first=2)
    assert not (repo.git_dir / "objects" / "pack" / "multi-pack-index").exists()
    sound()


def test_a_reader_outlives_the_packs_that_it_has_open(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 6)
    talk(repo, 3)
    with Repository.open(repo.path) as reader:
        old = [info.id for info in reader.commits.log()]
        before = pack_names(repo)
        talk(repo, 12, first=3)
        assert before - pack_names(repo)
        assert [info.subject for info in reader.commits.log(limit=2)] == ["turn: 14", "turn: 13"]
        for commit in old:
            for change in reader.commits.changed(commit):
                assert change.new_oid is not None
                reader.blob(change.new_oid)


def test_a_join_that_fails_costs_nothing(
    repo: Repository, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    monkeypatch.setattr(PackFile, "is_whole", lambda _: False)
    chunks = talk(repo, 12)
    assert {path: repo.read(path) for path in chunks} == chunks
    sound()


def test_turns_go_on_in_a_repository_that_git_packed(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    chunks = talk(repo, 30)
    git("repack", "-adfq", "--write-midx", "--depth=50", "--window=250")
    git("pack-refs", "--all")
    git("commit-graph", "write", "--reachable")
    git("gc", "-q", "--prune=now")
    assert "refs/heads/main" in (repo.git_dir / "packed-refs").read_text()
    assert "chain length" in git("verify-pack", "-v", *map(str, _indexes(repo)))
    with Repository.open(repo.path) as again:
        assert {path: again.read(path) for path in chunks} == chunks
        chunks |= talk(again, 12, first=30)
        assert {path: again.read(path) for path in chunks} == chunks
        assert sum(1 for _ in again.commits.log()) == 43
    sound()


def _indexes(repo: Repository) -> list[Path]:
    return sorted((repo.git_dir / "objects" / "pack").glob("*.idx"))


def test_every_object_reads_as_git_reads_it(repo: Repository, git: Git) -> None:
    talk(repo, 25)
    git("repack", "-adfq", "--depth=50", "--window=250")
    talk(repo, 3, first=25)
    store = ObjectStore(repo.git_dir / "objects")
    listed = git("cat-file", "--batch-all-objects", "--batch-check").splitlines()
    assert len(listed) > 100
    for line in listed:
        oid, kind, size = line.split()
        found = store.read(oid)
        assert (found[0].decode(), len(found[1])) == (kind, int(size))
        assert object_id(*found) == oid


def test_a_pack_written_by_us_is_verified_by_git(tmp_path: Path) -> None:
    with PackStream(tmp_path, 4) as stream:
        for data in (b"", b"one", b"x" * 100_000, bytes(range(256)) * 20):
            stream.add(bytes.fromhex(object_id(b"blob", data)), full_entry(b"blob", data))
        name = stream.finish()
        stream.put_in_place()
    pack, index = ((tmp_path / f"{name}.{end}").read_bytes() for end in ("pack", "idx"))
    checked = subprocess.run(
        ["git", "index-pack", "--strict", "-o", tmp_path / "git.idx", tmp_path / f"{name}.pack"],
        check=True,
        capture_output=True,
    )
    assert checked.stdout.decode().strip() == pack[-20:].hex()
    assert (tmp_path / "git.idx").read_bytes() == index
    mine = PackFile(tmp_path / f"{name}.idx")
    assert mine.is_whole()
    assert [mine.read(offset) for oid in mine.oids() if (offset := mine.find(oid)) is not None]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_damaged_delta_never_passes_for_an_object(base: bytes, delta: bytes) -> None:
    try:
        made = apply_delta(base, delta)
    except DamagedRepository:
        return
    # Whatever it made has the size that it promised; the caller compares the hash.
    assert isinstance(made, bytes)


def test_objects_of_an_alternate_are_read_and_missing_ones_are_no_matter(
    repo: Repository, tmp_path: Path
) -> None:
    talk(repo, 3)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", repo.path, clone], check=True)
    alternates = clone / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"/nowhere/objects\n{alternates.read_text()}")
    with Repository.open(clone) as opened:
        assert sum(1 for _ in opened.commits.log()) == 4
        talk(opened, 2, first=3)
    subprocess.run(["git", "-C", clone, "fsck", "--strict"], check=True, capture_output=True)
    alternates.write_text("/nowhere/objects\n")
    with Repository.open(clone) as opened, pytest.raises(MissingObject):
        list(opened.commits.log())


def test_a_flipped_bit_is_noticed(repo: Repository) -> None:
    oid = repo.oid("persona/10-who.md")
    assert oid is not None
    pack = next((repo.git_dir / "objects" / "pack").glob("*.pack"))
    data = bytearray(pack.read_bytes())
    pack.chmod(0o600)
    for at in range(14, len(data) - 20, 3):
        data[at] ^= 0x10
    pack.write_bytes(data)
    with Repository.open(repo.path) as again, pytest.raises(DamagedRepository):
        again.read("persona/10-who.md")


def test_reading_imports_no_dulwich(repo: Repository) -> None:
    script = (
        "import sys; from perdure.git.repository.repository import Repository\n"
        "repo = Repository.open(sys.argv[1]); list(repo.commits.log(limit=20)); repo.files()\n"
        "print([m for m in sys.modules if m in {'dulwich', 'asyncio', 'msgspec', 'filelock'}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, repo.path], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
