from __future__ import annotations

import errno
import random
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.git.errors import RefusedPack, StorageFull, WriteFailed
from perdure.git.objects.fsck import Trouble
from perdure.git.objects.store import ObjectStore
from perdure.git.packs import incoming as module
from perdure.git.packs.delta import delta, entry_header, full_entry
from perdure.git.packs.incoming import IncomingPack, check_incoming
from perdure.git.packs.outgoing import outgoing
from perdure.git.packs.repack import Repacking
from perdure.git.packs.resolve import IncomingLimits
from perdure.git.packs.small import read_list
from perdure.git.paths import DEEPEST
from perdure.git.repository.repository import Repository
from tests.conftest import git as run_git
from tests.git.packs_by_hand import (
    BOMBS,
    commit_of,
    number,
    ofs_delta,
    pack_of,
    raw_id,
    ref_delta,
    summed,
    tree_of,
    whole_pack,
)
from tests.git.test_outgoing import as_file
from tests.lives import make_life
from tests.processes import started

Git = Callable[..., str]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 400)
    return path


def left_over(repo: Repository) -> list[str]:
    """What stands in the folder of packs beside packs and indexes."""
    names = [path.name for path in (repo.git_dir / "objects" / "pack").iterdir()]
    return sorted(name for name in names if not name.endswith((".pack", ".idx", ".rev")))


def received(
    repo: Repository, data: bytes, *, limits: IncomingLimits | None = None
) -> list[Trouble]:
    """Take a pack in, by and by; what is odd about it. Everything else is refused."""
    with IncomingPack(repo.git_dir, limits=limits or IncomingLimits()) as incoming:
        for at in range(0, len(data), 1000):
            incoming.write(data[at : at + 1000])
        incoming.index(repo.parts().store)
        found = check_incoming(incoming, repo.parts().store, [])
        writer = repo.writer
        with writer.exclusive("fetching"):
            keep = incoming.put_in_place(writer.packs)
        if keep is not None:
            assert f"{keep.name}.keep" in left_over(repo)
            keep.release()
    assert left_over(repo) == []
    return found


def from_git(source: Path, words: str, *options: str) -> bytes:
    """A pack that git makes of some revisions."""
    done = subprocess.run(
        ["git", "-C", source, "pack-objects", "--revs", "--stdout", "-q", *options],
        input=words.encode(),
        check=True,
        capture_output=True,
    )
    return done.stdout


@pytest.mark.parametrize("offsets", [("--delta-base-offset",), ()])
def test_what_git_sends_is_indexed_as_git_does(
    repo: Repository,
    life: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    offsets: tuple[str, ...],
) -> None:
    monkeypatch.setattr(module, "_FEW", 0)
    data = from_git(life, run_git(life, "for-each-ref", "--format=%(objectname)"), *offsets)
    assert received(repo, data) == []
    theirs = tmp_path / "theirs.pack"
    theirs.write_bytes(data)
    subprocess.run(["git", "index-pack", theirs], check=True, capture_output=True)
    ours = [p for p in (repo.git_dir / "objects" / "pack").glob("*.pack") if p.read_bytes() == data]
    assert ours[0].with_suffix(".idx").read_bytes() == theirs.with_suffix(".idx").read_bytes()
    for path in (ours[0], ours[0].with_suffix(".idx")):
        assert path.stat().st_mode & 0o777 == 0o400
    run_git(repo.path, "update-ref", "refs/heads/life", run_git(life, "rev-parse", "main").strip())
    run_git(repo.path, "fsck", "--full", "--strict")


@given(
    blobs=st.lists(st.binary(min_size=30, max_size=300), min_size=1, max_size=4),
    order=st.lists(st.integers(0, 3), min_size=1, max_size=25),
    window=st.integers(0, 20),
    depth=st.integers(0, 20),
    by_id=st.booleans(),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12
)
def test_any_pack_of_gits_gets_the_index_that_git_makes(
    repo: Repository,
    tmp_path: Path,
    blobs: list[bytes],
    order: list[int],
    window: int,
    depth: int,
    *,
    by_id: bool,
) -> None:
    text, ids = b"", set()
    for each in order:
        text += blobs[each % len(blobs)]
        done = subprocess.run(
            ["git", "-C", repo.path, "hash-object", "-w", "--stdin"],
            input=text,
            check=True,
            capture_output=True,
        )
        ids.add(done.stdout.decode())
    words = [f"--window={window}", f"--depth={depth}", *([] if by_id else ["--delta-base-offset"])]
    data = subprocess.run(
        ["git", "-C", repo.path, "pack-objects", "--stdout", "-q", *words],
        input="".join(sorted(ids)).encode(),
        check=True,
        capture_output=True,
    ).stdout
    theirs = tmp_path / "theirs.pack"
    theirs.write_bytes(data)
    subprocess.run(["git", "index-pack", theirs], check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", 0)
        assert received(repo, data) == []
    folder = repo.git_dir / "objects" / "pack"
    ours = next(path for path in folder.glob("*.pack") if path.read_bytes() == data)
    assert ours.with_suffix(".idx").read_bytes() == theirs.with_suffix(".idx").read_bytes()
    for path in (ours, ours.with_suffix(".idx"), theirs.with_suffix(".idx")):
        path.unlink()


@pytest.mark.parametrize("few", [0, 8192])
@pytest.mark.parametrize("turns", [3, 300])
def test_a_thin_pack_is_completed(
    repo: Repository,
    life: Path,
    sound: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    few: int,
) -> None:
    monkeypatch.setattr(module, "_FEW", few)
    tip, old = run_git(life, "rev-parse", "main", f"main~{turns}").split()
    assert received(repo, from_git(life, f"{old}\n")) == []
    run_git(repo.path, "update-ref", "refs/heads/life", old)
    packs = len(list((repo.git_dir / "objects" / "pack").glob("*.pack")))
    thin = from_git(life, f"{tip}\n^{old}\n", "--thin", "--delta-base-offset")
    with IncomingPack(repo.git_dir) as incoming:
        incoming.write(thin)
        with pytest.raises(RefusedPack, match="cannot be read here"):
            incoming.index(ObjectStore(repo.path / "nothing"))
    assert received(repo, thin) == []
    run_git(repo.path, "update-ref", "refs/heads/life", tip)
    assert len(list((repo.git_dir / "objects" / "pack").glob("*.pack"))) == packs + 1
    sound()
    for index in (repo.git_dir / "objects" / "pack").glob("*.idx"):
        run_git(repo.path, "verify-pack", str(index))


@pytest.mark.parametrize("few", [0, 8192])
@pytest.mark.parametrize("turns", [3, 300])
def test_what_we_send_is_what_we_take(
    repo: Repository,
    life: Path,
    sound: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    few: int,
) -> None:
    monkeypatch.setattr(module, "_FEW", few)
    tip, old = run_git(life, "rev-parse", "main", f"main~{turns}").split()
    with Repository.open(life, recover=False) as source:
        first = as_file(outgoing(source.parts(), [old], []))
        second = as_file(outgoing(source.parts(), [tip], [old]))
    assert received(repo, first) == []
    assert received(repo, second) == []
    run_git(repo.path, "update-ref", "refs/heads/life", tip)
    sound()


def test_small_packs_are_made_small_with_others_and_large_ones_stay(
    repo: Repository, life: Path, monkeypatch: pytest.MonkeyPatch, sound: Callable[[], None]
) -> None:
    ends = run_git(life, "rev-parse", "main~300", "main~200", "main~199", "main").split()
    monkeypatch.setattr(module, "_FEW", 1000)
    before: list[str] = []
    for end in ends:
        assert received(repo, from_git(life, "\n".join([end, *before, ""]), "--thin")) == []
        before = [f"^{end}"]
    run_git(repo.path, "update-ref", "refs/heads/life", ends[-1])
    listed = read_list(repo.state_dir / "packs", repo.git_dir / "objects" / "pack").packs
    assert list(listed.values())[-3:] == [2, 2, 1]
    kept = {path.name for path in (repo.git_dir / "objects" / "pack").glob("*.pack")}
    large = kept - {f"{name}.pack" for name in listed}
    assert len(large) == 1
    monkeypatch.setattr("perdure.git.packs.repack.JOINED_LIMIT", 2)
    assert list(Repacking(repo.git_dir).steps()) == ["2 packs made small"]
    left = {path.name for path in (repo.git_dir / "objects" / "pack").glob("*.pack")}
    assert left > large
    assert len(left) == len(kept) - 1
    sound()


def test_nothing_and_an_empty_pack_are_taken(repo: Repository) -> None:
    assert received(repo, b"") == []
    assert received(repo, pack_of([])) == []


# Broken packs


def small_pack() -> bytes:
    blobs = [b"line %d\n" % each * 40 for each in range(3)]
    first = full_entry(b"blob", blobs[0])
    made = delta(b"blob", blobs[0], blobs[0] + b"more\n")
    tree = tree_of(("100644", "a.md", raw_id(b"blob", blobs[1]).hex()))
    commit = commit_of(raw_id(b"tree", tree))
    return pack_of(
        [
            first,
            ofs_delta(len(first), made),
            ref_delta(raw_id(b"blob", blobs[1]), delta(b"blob", blobs[1], b"x" + blobs[1])),
            full_entry(b"blob", blobs[1]),
            full_entry(b"tree", tree),
            full_entry(b"commit", commit),
        ]
    )


def test_a_pack_cut_anywhere_is_refused(repo: Repository) -> None:
    data = small_pack()
    assert received(repo, data) == []
    for end in range(1, len(data)):
        for cut in (data[:end], summed(data[:end] + bytes(20))):
            if cut == data:
                continue
            with pytest.raises(RefusedPack):
                received(repo, cut)
    assert left_over(repo) == []


@given(place=st.integers(12, 10_000), value=st.integers(0, 255), data=st.binary(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_end_in_own_errors(repo: Repository, place: int, value: int, data: bytes) -> None:
    pack = bytearray(small_pack())
    pack[8 + place % (len(pack) - 28)] = value
    for changed in (bytes(pack), pack_of([data]), bytes(pack[:60]) + data):
        try:
            received(repo, summed(changed))
        except RefusedPack:
            assert left_over(repo) == []


def test_a_broken_sum_is_refused(repo: Repository) -> None:
    with pytest.raises(RefusedPack, match="cut short, or was changed"):
        received(repo, small_pack()[:-1] + b"x")


BLOB = b"words of mine\n" * 20
FULL = full_entry(b"blob", BLOB)
GROWS = delta(b"blob", BLOB, BLOB + b"!")
LIE = entry_header(3, len(BLOB) + 1) + zlib.compress(BLOB)
LESS = entry_header(3, len(BLOB) - 1) + zlib.compress(BLOB)


def copies(base: bytes, times: int) -> bytes:
    """A delta that says "all of it" so many times."""
    size = len(base)
    step = bytes([0x80 | 0x70, size & 255, size >> 8 & 255, size >> 16])
    return number(size) + number(size * times) + step * times


@pytest.mark.parametrize(
    ("says", "data"),
    [
        ("no pack", summed(b"PICK" + pack_of([FULL])[4:])),
        ("cut short", b"PACK"),
        ("unknown version", summed(b"PACK\0\0\0\4" + pack_of([FULL])[8:])),
        ("holds 9", pack_of([FULL], count=9_000_000)),
        ("cut short", pack_of([FULL], count=2)),
        ("more than it says", pack_of([FULL, FULL], count=1)),
        ("one object twice", pack_of([FULL, FULL])),
        ("one object twice", pack_of([FULL, FULL, b"what comes then"])),
        ("unknown kind 5", pack_of([entry_header(5, 3) + zlib.compress(b"abc")])),
        ("unknown kind 0", pack_of([entry_header(0, 3) + zlib.compress(b"abc")])),
        ("another size", pack_of([LESS])),
        ("another size", pack_of([LIE])),
        ("does not inflate", pack_of([entry_header(3, 9) + b"nothing of zlib's"])),
        ("no entry", pack_of([FULL, ofs_delta(len(FULL) - 1, GROWS)])),
        ("no entry", pack_of([FULL, ofs_delta(len(FULL) + 1, GROWS)])),
        ("no entry", pack_of([FULL, ofs_delta(2**45, GROWS)])),
        ("size that no object", pack_of([b"\xbf" + b"\xff" * 60 + FULL])),
        ("fit its base", pack_of([FULL, ofs_delta(len(FULL), delta(b"blob", b"x", b"y"))])),
        ("cut short", pack_of([FULL, ofs_delta(len(FULL), b"\x80")])),
        ("size that no object", pack_of([FULL, ofs_delta(len(FULL), b"\xff" * 999)])),
    ],
)
def test_a_pack_that_lies_is_refused(repo: Repository, says: str, data: bytes) -> None:
    with pytest.raises(RefusedPack, match=says):
        received(repo, data)
    assert left_over(repo) == []


def test_deltas_in_a_circle_are_refused(repo: Repository) -> None:
    one, two = BLOB + b"1", BLOB + b"2"
    circle = [
        ref_delta(raw_id(b"blob", two), delta(b"blob", two, one)),
        ref_delta(raw_id(b"blob", one), delta(b"blob", one, two)),
    ]
    circle.reverse()
    with pytest.raises(RefusedPack, match="cannot be read here"):
        received(repo, pack_of(circle))
    # With one of them here already, the two would lean on one another once in place.
    assert received(repo, whole_pack((b"blob", one))) == []
    with pytest.raises(RefusedPack, match="that it holds itself"):
        received(repo, pack_of(circle))


def test_more_objects_than_its_bytes_speak_for_are_refused_at_once(repo: Repository) -> None:
    with pytest.raises(RefusedPack, match="holds 390,000 objects"):
        received(repo, pack_of([bytes(9) * 390_000], count=390_000))


def test_a_large_object_is_not_compressed_anew(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def noted(kind: bytes, data: bytes) -> bytes:
        made.append(len(data))
        return full_entry(kind, data)

    monkeypatch.setattr(module, "full_entry", noted)
    sizes = [100, 5_000_000, 200]
    data = whole_pack(*((b"blob", bytes(size)) for size in sizes))
    assert received(repo, data) == []
    assert made == [100]
    for size in sizes:
        assert repo.parts().store.has(raw_id(b"blob", bytes(size)).hex())


# Limits


@pytest.mark.parametrize(
    ("says", "limits", "data"),
    [
        ("more than 100 bytes", IncomingLimits(pack_bytes=100), small_pack()),
        ("holds 6 objects", IncomingLimits(entry_floor=0, entry_share=100), small_pack()),
        ("object of 280 bytes", IncomingLimits(object_bytes=200), pack_of([FULL])),
        (
            "object of 560 bytes",
            IncomingLimits(object_bytes=400),
            pack_of([FULL, ofs_delta(len(FULL), copies(BLOB, 2))]),
        ),
        (
            "far more than it is",
            IncomingLimits(work_floor=1000, work_factor=2),
            pack_of([FULL, ofs_delta(len(FULL), copies(BLOB, 8))]),
        ),
        (
            "more memory",
            IncomingLimits(held_bytes=700),
            pack_of(
                [
                    FULL,
                    ofs_delta(len(FULL), copies(BLOB, 2)),
                    *(
                        ref_delta(raw_id(b"blob", BLOB * 2), delta(b"blob", BLOB * 2, BLOB * 2 + x))
                        for x in (b"x", b"y")
                    ),
                    ref_delta(raw_id(b"blob", BLOB), GROWS),
                ]
            ),
        ),
        (
            "names far more",
            IncomingLimits(named_floor=10),
            whole_pack(
                (
                    b"tree",
                    tree_of(*(("160000", f"{each:02d}", f"{each:040x}") for each in range(1, 14))),
                )
            ),
        ),
        (
            "does not fit",
            IncomingLimits(step_floor=0, step_share=10),
            pack_of([FULL, ofs_delta(len(FULL), copies(BLOB, 300))]),
        ),
    ],
)
def test_each_limit_holds(repo: Repository, says: str, limits: IncomingLimits, data: bytes) -> None:
    assert {each.kind for each in received(repo, data)} <= {"submodule"}
    with pytest.raises(RefusedPack, match=says):
        received(repo, data, limits=limits)
    assert left_over(repo) == []


def test_a_chain_as_long_as_is_read_and_not_longer(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.git.packs.resolve.CHAIN_LIMIT", 40)
    monkeypatch.setattr("perdure.git.objects.pack.CHAIN_LIMIT", 40)
    monkeypatch.setattr(module, "_FEW", 1)

    def chain(length: int) -> bytes:
        text, entries = BLOB, [FULL]
        for each in range(length):
            longer = text + b"%d\n" % each
            entries.append(ofs_delta(len(entries[-1]), delta(b"blob", text, longer)))
            text = longer
        return pack_of(entries)

    assert received(repo, chain(39)) == []
    last = BLOB + b"".join(b"%d\n" % each for each in range(39))
    assert ObjectStore(repo.git_dir / "objects").read(raw_id(b"blob", last).hex())[1] == last
    with pytest.raises(RefusedPack, match="without end"):
        received(repo, chain(40))


# What stands in the objects


A_BLOB = raw_id(b"blob", BLOB).hex()
NOWHERE = "1" * 40


def tree_troubles(
    repo: Repository, *entries: tuple[str, str | bytes, str]
) -> list[tuple[str, str]]:
    """Kind and entry of what is odd about one tree."""
    tree = tree_of(*entries)
    data = whole_pack(
        (b"blob", BLOB), (b"tree", tree), (b"commit", commit_of(raw_id(b"tree", tree)))
    )
    with IncomingPack(repo.git_dir) as incoming:
        incoming.write(data)
        incoming.index(repo.parts().store)
        return [(each.kind, each.path) for each in check_incoming(incoming, repo.parts().store, [])]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".git",
        ".GIT",
        "git~1",
        "GIT~1",
        ".g\u200cit",
        ".git ",
        ".git.",
        "a/b",
        "/",
        ".git::$INDEX_ALLOCATION",
        "..\\x",
        "x\\.git",
        "x" * 256,
    ],
)
def test_a_name_that_no_file_may_have_is_found(repo: Repository, name: str) -> None:
    shown = name
    assert tree_troubles(repo, ("100644", name, A_BLOB)) == [("name", shown)]


@pytest.mark.parametrize("name", ["a.md", ".gitignore", ".gitattributes", "été", "a\\b", "x" * 255])
def test_a_name_that_files_have_is_fine(repo: Repository, name: str) -> None:
    assert tree_troubles(repo, ("100644", name, A_BLOB)) == []


@pytest.mark.parametrize(
    ("entries", "kinds"),
    [
        ([("100644", "a", A_BLOB), ("100644", "a", A_BLOB)], ["twice"]),
        ([("40000", "a", "TREE"), ("100644", "a", A_BLOB)], ["twice"]),
        ([("100644", "b", A_BLOB), ("100644", "a", A_BLOB)], ["order"]),
        ([("100644", "a.b", A_BLOB), ("40000", "a", "TREE")], []),
        ([("40000", "a", "TREE"), ("100644", "a.b", A_BLOB)], ["order"]),
        ([("120000", "a", A_BLOB)], ["link"]),
        ([("160000", "a", NOWHERE)], ["submodule"]),
        ([("100664", "a", A_BLOB)], ["mode"]),
        ([("040000", "a", A_BLOB)], ["mode"]),
        ([("100755", "a", A_BLOB)], []),
        ([("100644", "a", NOWHERE)], ["missing"]),
        ([("40000", "a", NOWHERE)], ["missing"]),
        ([("40000", "a", A_BLOB)], ["kind"]),
        ([("100644", "a", "TREE")], ["kind"]),
    ],
)
def test_odd_trees_are_found(
    repo: Repository, git: Git, entries: list[tuple[str, str, str]], kinds: list[str]
) -> None:
    tree = git("rev-parse", "HEAD^{tree}").strip()
    here = [(mode, name, tree if oid == "TREE" else oid) for mode, name, oid in entries]
    assert [kind for kind, _ in tree_troubles(repo, *here)] == kinds


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"commit", b"tree 1\n\nwords\n"),
        (b"commit", b"words\n"),
        (b"commit", commit_of(raw_id(b"tree", b"")).replace(b"author", b"arthur")),
        (b"tag", b"object " + NOWHERE.encode() + b"\ntype word\ntag x\n"),
        (b"tag", b""),
        (b"tree", b"100644 a"),
        (b"tree", b"100644 a\0" + bytes(19)),
        (b"tree", b"rw a\0" + bytes(20)),
    ],
)
def test_objects_that_cannot_be_read_are_found(repo: Repository, kind: bytes, data: bytes) -> None:
    found = received(repo, whole_pack((kind, data)))
    assert [(each.kind, each.oid) for each in found] == [("broken", raw_id(kind, data).hex())]


def test_what_a_commit_or_a_tag_needs_is_looked_for(repo: Repository, git: Git) -> None:
    here = bytes.fromhex(git("rev-parse", "HEAD^{tree}").strip())
    gone = bytes.fromhex(NOWHERE)
    words = b"object " + NOWHERE.encode() + b"\ntype commit\ntag x\n\nwords\n"
    lost = [("missing", NOWHERE)]
    for kind, data in (
        (b"commit", commit_of(gone)),
        (b"commit", commit_of(here, gone)),
        (b"tag", words),
    ):
        found = received(repo, whole_pack((kind, data)))
        assert [(each.kind, each.oid) for each in found] == lost
    tip = git("rev-parse", "HEAD").strip()
    assert received(repo, whole_pack((b"commit", commit_of(here, bytes.fromhex(tip))))) == []
    with IncomingPack(repo.git_dir) as incoming:
        store = repo.parts().store
        assert check_incoming(incoming, store, [tip]) == []
        assert [
            (each.kind, each.oid) for each in check_incoming(incoming, store, [NOWHERE])
        ] == lost


@pytest.mark.parametrize("few", [0, 8192])
def test_an_odd_entry_of_a_tip_is_told_with_its_path(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(module, "_FEW", few)
    inner = tree_of(("100644", ".git", A_BLOB))
    outer = tree_of(("40000", "year", raw_id(b"tree", inner).hex()))
    root = tree_of(("40000", "lore", raw_id(b"tree", outer).hex()))
    commit = commit_of(raw_id(b"tree", root))
    tag = b"object " + raw_id(b"commit", commit).hex().encode() + b"\ntype commit\ntag x\n\nx\n"
    kinds = [(b"blob", BLOB), *((b"tree", each) for each in (inner, outer, root))]
    data = whole_pack(*kinds, (b"commit", commit), (b"tag", tag))
    for tip in (raw_id(b"commit", commit), raw_id(b"tag", tag), raw_id(b"tree", root)):
        with IncomingPack(repo.git_dir) as incoming:
            incoming.write(data)
            incoming.index(repo.parts().store)
            found = check_incoming(incoming, repo.parts().store, [tip.hex()])
        assert [(each.kind, each.path) for each in found] == [("name", "lore/year/.git")]


@pytest.mark.parametrize(("depth", "kinds"), [(DEEPEST, []), (DEEPEST + 1, ["depth"])])
def test_folders_that_are_too_deep_are_found(
    repo: Repository, depth: int, kinds: list[str]
) -> None:
    objects = [(b"blob", BLOB), (b"tree", tree_of(("100644", "a", A_BLOB)))]
    for _ in range(depth - 1):
        below = raw_id(*objects[-1]).hex()
        objects.append((b"tree", tree_of(("40000", "d", below))))
    commit = commit_of(raw_id(*objects[-1]))
    with IncomingPack(repo.git_dir) as incoming:
        incoming.write(whole_pack(*objects, (b"commit", commit)))
        incoming.index(repo.parts().store)
        tips = [raw_id(b"commit", commit).hex()]
        assert [each.kind for each in check_incoming(incoming, repo.parts().store, tips)] == kinds


BOMB = """
import sys
from pathlib import Path
from perdure.git.errors import RefusedPack
from perdure.git.objects.store import ObjectStore
from perdure.git.packs.incoming import IncomingPack

folder = Path(sys.argv[1])
try:
    with IncomingPack(folder) as incoming:
        incoming.write(Path(sys.argv[2]).read_bytes())
        incoming.index(ObjectStore(folder / "objects"))
except RefusedPack as error:
    # getrusage would count what the process had that began this one.
    status = Path("/proc/self/status")
    if status.exists():
        print(int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024, error)
    else:
        print(0, error)
"""


@pytest.mark.parametrize("bomb", ["branches", "steps", "names"])
def test_bombs_are_refused_within_300_mb(repo: Repository, tmp_path: Path, bomb: str) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(pack_of(BOMBS[bomb]()))
    assert file.stat().st_size < 16_000_000
    words = [sys.executable, "-c", BOMB, str(repo.git_dir), str(file)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert int(said.split()[0]) < 300, said
    assert left_over(repo) == []


def test_a_hostile_pack_full_of_holes_is_told_in_a_hundred_lines(repo: Repository) -> None:
    dice = random.Random(3)
    entries = [("100644", f"{each:05d}", dice.randbytes(20).hex()) for each in range(20_000)]
    found = received(repo, whole_pack((b"tree", tree_of(*entries))))
    assert len(found) == 100


# Crashes

RECEIVE = """
import os, sys, time
from pathlib import Path
from perdure.git.packs import incoming, keep
from perdure.git.packs.incoming import IncomingPack, check_incoming
from perdure.git.packs.small import read_list
from perdure.git.paths import DEEPEST
from perdure.git.repository.repository import Repository

step, data = sys.argv[2], Path(sys.argv[3]).read_bytes()
repo = Repository.open(sys.argv[1])
incoming._FEW = int(sys.argv[4])


def at(name):
    if name == step:
        print("there", flush=True)
        sys.stdin.read()


pack = IncomingPack(repo.git_dir)
pack.write(data[:500])
at("begun")
pack.write(data[500:])
at("received")
pack.index(repo.parts().store)
at("indexed")
rename = Path.rename


def renamed(old, new):
    if old.name.endswith("_idx"):
        at("renamed")
    rename(old, new)


Path.rename = renamed
with repo.writer.exclusive("fetching"):
    pack.put_in_place(repo.writer.packs)
    at("in place")
"""


@pytest.mark.parametrize(
    ("step", "few"),
    [
        *((step, 0) for step in ("begun", "received", "indexed", "renamed", "in place")),
        *((step, 1000) for step in ("received", "indexed", "in place")),
    ],
)
def test_a_kill_at_any_step_leaves_nothing_half_done(
    repo: Repository, life: Path, tmp_path: Path, sound: Callable[[], None], step: str, few: int
) -> None:
    tip = run_git(life, "rev-parse", "main").strip()
    file = tmp_path / "pack"
    file.write_bytes(from_git(life, f"{tip}\n"))
    words = [sys.executable, "-c", RECEIVE, str(repo.path), step, str(file), str(few * 10)]
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        # Another process leaves alone what is being received.
        with Repository.open(repo.path):
            assert left_over(repo)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert left_over(repo)
    with Repository.open(repo.path) as again:
        assert left_over(again) == []
        folder = again.git_dir / "objects" / "pack"
        packs, indexes = ({p.stem for p in folder.glob(f"*.{end}")} for end in ("pack", "idx"))
        assert packs == indexes
        assert ObjectStore(again.git_dir / "objects").has(tip) == (step == "in place")
    sound()
    assert received(repo, file.read_bytes()) == []
    sound()


def test_an_index_that_cannot_be_renamed_leaves_no_pack(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", 0)
    rename = Path.rename
    before = sorted((repo.git_dir / "objects" / "pack").iterdir())

    def renamed(old: Path, new: Path) -> Path:
        if old.name.endswith("_idx"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", renamed)
    with pytest.raises(WriteFailed):
        received(repo, small_pack())
    assert sorted((repo.git_dir / "objects" / "pack").iterdir()) == before


def test_a_full_disk_is_told_and_leaves_nothing(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_pack()
    monkeypatch.setattr(module, "_FEW", 0)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in ("write_all", "sync", "write_file", "sync_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(f"perdure.git.disk.{place}", full)
            with pytest.raises(StorageFull):
                received(repo, data)
        assert left_over(repo) == []
    assert received(repo, data) == []
