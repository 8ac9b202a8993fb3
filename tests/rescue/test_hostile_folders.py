"""A folder that somebody wrote to do harm, cloned and adopted: within bounds, or not at all."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from perdure.actions.companion.adopt import adopting
from perdure.errors import Problem
from perdure.git.errors import DamagedRepository
from perdure.git.objects import new_objects
from perdure.git.objects.new_objects import NewObjects
from perdure.git.objects.store import ObjectStore, object_id
from perdure.git.packs import outgoing
from perdure.git.packs.resolve import IncomingLimits
from tests.conftest import assert_sound, git
from tests.rescue.devices import add_backup, clone, say, sync
from tests.rescue.hostile import Place, run_limited

Harm = Callable[[Place], object]
NO_PACK = b"PACK\0\0\0\2\x7f\xff\xff\xff"


@pytest.fixture
def place(companion: Path, tmp_path: Path) -> Iterator[Place]:
    """A bare repository with a companion, all of it in one pack."""
    say(companion, "Hello.")
    add_backup(companion, tmp_path / "place.git")
    sync(companion)
    git(tmp_path / "place.git", "repack", "-adq")
    yield Place(tmp_path / "place.git")
    # Python's own way to remove it calls itself for each folder in a folder.
    subprocess.run(["rm", "-rf", str(tmp_path / "place.git")], check=True)


def sparse(name: str, size: int = 10 << 30, start: bytes = b"") -> Harm:
    """A file that says it is larger than it is."""

    def put(place: Place) -> None:
        path = place.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(start)
        os.truncate(path, size)

    return put


def index(path: Path, oids: Sequence[bytes], offsets: Sequence[int]) -> None:
    fanout = [sum(oid[0] <= byte for oid in oids) for byte in range(256)]
    data = b"\xfftOc\0\0\0\2" + struct.pack(">256L", *fanout) + b"".join(oids)
    data += bytes(4 * len(oids)) + struct.pack(f">{len(offsets)}L", *offsets) + bytes(20)
    path.write_bytes(data + hashlib.sha1(data, usedforsecurity=False).digest())


def sparse_pack(place: Place) -> None:
    folder = place.path / "objects" / "pack"
    sparse("objects/pack/pack-1.pack", start=NO_PACK)(place)
    oids = sorted(bytes.fromhex(object_id(b"blob", b"%d" % number)) for number in range(100))
    index(folder / "pack-1.idx", oids, [12 + 1000 * number for number in range(100)])


def sparse_index(place: Place) -> None:
    sparse("objects/pack/pack-1.pack", start=NO_PACK)(place)
    count = struct.pack(">256L", *[300_000_000] * 256)
    sparse("objects/pack/pack-1.idx", start=b"\xfftOc\0\0\0\2" + count)(place)


def offsets(first: int) -> Harm:
    """The one pack's index says that all of its entries are elsewhere."""

    def put(place: Place) -> None:
        (path,) = (place.path / "objects" / "pack").glob("*.idx")
        data = bytearray(path.read_bytes())
        (count,) = struct.unpack_from(">L", data, 8 + 1020)
        struct.pack_into(f">{count}L", data, 8 + 1024 + 24 * count, *range(first, first + count))
        path.chmod(0o600)
        path.write_bytes(data)

    return put


def fanout(place: Place) -> None:
    (path,) = (place.path / "objects" / "pack").glob("*.idx")
    data = bytearray(path.read_bytes())
    struct.pack_into(">255L", data, 8, *[0x7FFFFFFF] * 255)
    path.chmod(0o600)
    path.write_bytes(data)


def nested(place: Place) -> None:
    fd = os.open(place.path / "refs" / "heads", os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)


def pipe(name: str) -> Harm:
    def put(place: Place) -> None:
        (place.path / name).unlink(missing_ok=True)
        os.mkfifo(place.path / name)

    return put


def a_socket(place: Place) -> None:
    here = Path.cwd()
    os.chdir(place.path / "refs" / "heads")
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("s")
    finally:
        os.chdir(here)


def link(name: str) -> Harm:
    def put(place: Place) -> None:
        path = place.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.rename(place.path / "aside")
        path.symlink_to(place.path / "aside" if (place.path / "aside").exists() else "/etc")

    return put


def put(name: str, data: bytes) -> Harm:
    def write(place: Place) -> None:
        path = place.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return write


def odd_branches(place: Place) -> None:
    folder = os.fsencode(place.path) + b"/refs/heads/"
    for name in (b"a\nb", b"a\x1b[2Jb", b"\xff\xfe", b"-x"):
        Path(os.fsdecode(folder + name)).write_text(f"{place.tip()}\n")


def many_ends(place: Place) -> None:
    (place.path / "shallow").write_text("".join(f"{n:040x}\n" for n in range(50_000)))


def object_as_pipe(place: Place) -> None:
    oid = place.blob(b"x")
    pipe(f"objects/{oid[:2]}/{oid[2:]}")(place)
    place.add(("100644", "x.md", oid))


def says_less(place: Place) -> None:
    """An object whose header says five bytes, and that has a hundred million."""
    oid = object_id(b"blob", b"hello")
    put(f"objects/{oid[:2]}/{oid[2:]}", zlib.compress(b"blob 5\0" + bytes(100_000_000), 1))(place)
    place.add(("100644", "x.md", oid))


def says_more(place: Place) -> None:
    oid = object_id(b"blob", b"x")
    put(f"objects/{oid[:2]}/{oid[2:]}", zlib.compress(b"blob 9999999999\0"))(place)
    place.add(("100644", "x.md", oid))


def tags_of_tags(place: Place) -> None:
    oid, kind = place.tip(), "commit"
    for _ in range(40):
        text = f"object {oid}\ntype {kind}\ntag t\ntagger Eve <e@x> 1 +0000\n\nx\n"
        oid, kind = place.put("tag", text.encode()), "tag"
    place.ref("refs/tags/deep", oid)


def parents(place: Place) -> None:
    tree = place.tip("main^{tree}")
    roots = [place.commit(tree, says=b"%d\n" % number) for number in range(300)]
    place.ref("refs/heads/main", place.commit(tree, place.tip(), *roots))


def settings(text: str) -> Harm:
    return lambda place: (place.path / "config").write_text(f"[core]\n\tbare = true\n{text}")


def graphs(place: Place) -> None:
    put("objects/pack/multi-pack-index", b"MIDX" + bytes(range(256)) * 9)(place)
    put("objects/info/commit-graph", b"CGPH" + bytes(range(256)) * 9)(place)


# Each with whether a clone and an adoption take it.
CASES: dict[str, tuple[Harm, bool, bool]] = {
    "a sparse pack": (sparse_pack, True, True),
    "a sparse index": (sparse_index, True, True),
    "sparse alternates": (sparse("objects/info/alternates"), True, True),
    "a sparse list of where it ends": (sparse("shallow"), False, False),
    "sparse settings": (sparse("config"), False, False),
    "an index that leads beyond its end": (offsets(0xFFFFFF00), True, False),
    "an index that leads beyond the pack": (offsets(0x7FFFFF00), True, False),
    "an index that counts more than it has": (fanout, True, False),
    "other indexes that make no sense": (graphs, True, True),
    "folders of branches 1,200 deep": (nested, True, True),
    "backslashes in settings": (settings('[a "' + "\\" * 4_000_000 + "\n"), True, True),
    "settings that run and lead elsewhere": (
        settings("\tfsmonitor = touch PWNED\n\tworktree = /etc\n[include]\n\tpath = /etc/x\n"),
        True,
        True,
    ),
    "a common folder elsewhere": (put("commondir", b"/etc\n"), True, True),
    "alternates over http": (put("objects/info/http-alternates", b"http://x/\n"), True, True),
    "objects a link": (link("objects"), False, False),
    "refs a link": (link("refs"), False, False),
    "a folder of objects a link": (link("objects/zz"), False, False),
    "an object a pipe": (object_as_pipe, False, False),
    "a pack a pipe": (pipe("objects/pack/pack-1.pack"), False, False),
    "alternates a pipe": (pipe("objects/info/alternates"), False, False),
    "shallow a pipe": (pipe("shallow"), False, False),
    "a branch a socket": (a_socket, False, False),
    "an object that says less": (says_less, False, False),
    "an object that says more": (says_more, False, False),
    "tags of tags": (tags_of_tags, False, True),
    "odd names of branches": (odd_branches, True, True),
    "50,000 ends of its history": (many_ends, True, True),
    "300 parents": (parents, True, True),
}


@pytest.mark.parametrize(("harm", "cloned", "adopted"), CASES.values(), ids=list(CASES))
def test_it_is_taken_or_refused_and_nothing_is_left(
    harm: Harm,
    cloned: bool,  # noqa: FBT001
    adopted: bool,  # noqa: FBT001
    place: Place,
    tmp_path: Path,
) -> None:
    harm(place)
    found, refused = {}, []
    for name in ("cloned", "adopted"):
        before = set(tmp_path.iterdir())
        try:
            if name == "cloned":
                clone(place.path, tmp_path / name)
            else:
                with adopting(place.path, tmp_path / name):
                    pass
        except Problem as problem:
            refused.append(str(problem))
        found[name] = (tmp_path / name).exists()
        assert set(tmp_path.iterdir()) - before == ({tmp_path / name} if found[name] else set())
        if found[name]:
            git(tmp_path / name, "fsck", "--full", "--strict")
            assert not (tmp_path / name / ".git" / "shallow").exists()
    assert found == {"cloned": cloned, "adopted": adopted}
    assert all(len(text) < 1000 for text in refused)


def modules(text: str, *, name: str = ".gitmodules") -> Harm:
    return lambda place: place.add(("100644", name, place.blob(text.encode())))


def modules_of_long_ago(place: Place) -> None:
    tree = place.tip("main^{tree}")
    modules('[submodule "x"]\n\turl = -u./x\n')(place)
    place.ref("refs/heads/main", place.commit(tree, place.tip()))


def commit(text: str) -> Harm:
    def make(place: Place) -> None:
        start = f"tree {place.tip('main^{tree}')}\nparent {place.tip()}\n"
        place.ref("refs/heads/main", place.put("commit", f"{start}{text}".encode()))

    return make


EVE = "Eve <e@x> 1700000000 +0000"
STRICT: dict[str, Harm] = {
    "an address that is an option": modules('[submodule "x"]\n\tpath = x\n\turl = -u./x\n'),
    "a quoted address": modules('[Submodule "x"]\n\tpath = x\n\tURL = "-u./x"\n'),
    "an address of two lines": modules('[submodule "x"]\n\turl = ./a%0ahost=x\n'),
    "a name outside": modules('[submodule "../../x"]\n\tpath = x\n\turl = https://x/\n'),
    "a path that is an option": modules('[submodule "x"]\n\tpath = -x\n\turl = https://x/\n'),
    "a program": modules('[submodule "x"]\n\tpath = x\n\turl = https://x/\n\tupdate = !sh\n'),
    "an odd name": modules('[submodule "x"]\n\turl = -u./x\n', name=".gitmodules ."),
    "long ago": modules_of_long_ago,
    "a link": lambda place: place.add(("120000", ".gitmodules", place.blob(b"/etc/passwd"))),
    "a long line": modules("x" * 2048 + "\n", name=".gitattributes"),
    "no id": lambda place: place.add(("160000", "sub", "0" * 40)),
    "an address in an address": commit(f"author Eve <e<x> 1 +0000\ncommitter {EVE}\n\nx\n"),
    "no space": commit(f"author Eve<e@x> 1 +0000\ncommitter {EVE}\n\nx\n"),
    "a NUL in a head": commit(f"author {EVE}\ncommitter {EVE}\nencoding x\0\n\nx\n"),
    "a NUL in a message": commit(f"author {EVE}\ncommitter {EVE}\n\nx\0\n"),
}


@pytest.mark.parametrize("harm", STRICT.values(), ids=list(STRICT))
def test_what_a_strict_git_refuses_does_not_come_by_a_clone_and_is_said_by_an_adoption(
    harm: Harm, place: Place, tmp_path: Path
) -> None:
    """Many servers check what is pushed so: with it in a history there would be no backup."""
    harm(place)
    with pytest.raises(AssertionError):
        assert_sound(place.path)
    with pytest.raises(Problem, match="may not be in a companion"):
        clone(place.path, tmp_path / "c")
    with adopting(place.path, tmp_path / "a") as adoption:
        assert "A server may refuse its history" in " ".join(adoption.describe())


@pytest.mark.parametrize(
    "text",
    [
        '[submodule "x"]\n\tpath = x\n\turl = https://example.org/x.git\n\tupdate = rebase\n',
        "# url = -x\n",
        '[submodule "a..b"]\n\turl = ../x.git\n',
    ],
)
def test_modules_that_git_takes_come(text: str, place: Place, tmp_path: Path) -> None:
    modules(text)(place)
    clone(place.path, tmp_path / "c")
    git(tmp_path / "c", "fsck", "--full", "--strict")


@pytest.mark.parametrize("packed", [False, True], ids=["in files", "as deltas"])
def test_objects_that_unpack_to_far_too_much_together_are_refused_early(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    monkeypatch.setattr(outgoing, "_LIMITS", IncomingLimits(work_floor=1 << 20, work_factor=5))
    monkeypatch.setattr(outgoing, "_BATCH_BYTES", 1 << 20)
    # What comes again after 64 KiB is a delta's to say, and beyond what zlib looks back to.
    parts = [os.urandom(1 << 16) * 16 if packed else bytes(1 << 20)] * 40
    rows = [("100644", f"{n:02}.md", place.blob(part + bytes([n]))) for n, part in enumerate(parts)]
    place.add(("40000", "lore", place.tree(*rows)))
    if packed:
        git(place.path, "repack", "-adfq", "--window=50")
    read: list[str] = []
    real = ObjectStore.read

    def counted(store: ObjectStore, oid: str, most: int | None = None) -> object:
        read.append(oid)
        return real(store, oid, most)

    monkeypatch.setattr(ObjectStore, "read", counted)
    with pytest.raises(Problem, match="unpack to far more"), adopting(place.path, tmp_path / "a"):
        pass
    assert len([oid for oid in read if oid in {row[2] for row in rows}]) < 10


def test_folders_that_name_one_file_over_and_over_are_refused_early(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_objects, "_NAMED_FLOOR", 5000)
    blob = place.blob(b"x")
    folders = [
        place.tree(*(("100644", f"{n:04}-{each}.md", blob) for n in range(1000)))
        for each in range(40)
    ]
    place.add(*(("40000", f"lore-{at:02}", tree) for at, tree in enumerate(folders)))
    opened: list[str] = []

    class Noted(ObjectStore):
        def read(self, oid: str, most: int | None = None) -> tuple[bytes, bytes]:
            opened.append(oid)
            return super().read(oid, most)

    found = NewObjects(Noted(place.path / "objects"), (), [])
    with pytest.raises(DamagedRepository, match="far more than"):
        found.run([place.tip()])
    assert 5 <= len({*opened} & {*folders}) < 10


@pytest.mark.parametrize(
    "harm", [sparse_index, settings('[a "' + "\\" * 4_000_000 + "\n")], ids=["index", "settings"]
)
def test_it_is_met_within_bounds(harm: Harm, place: Place, tmp_path: Path) -> None:
    harm(place)
    for words in (
        ("clone", str(place.path), "--at", "c"),
        ("adopt", str(place.path), "--at", "a", "-y"),
    ):
        done = run_limited(*words, folder=tmp_path)
        assert done.code == 0, done.trouble
        assert done.megabytes < 300


def test_damaged_branches_are_told_from_whole_ones_in_few_looks(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = place.tip("main^{tree}")
    refs = {
        f"refs/heads/b{n:03}": place.commit(tree, place.tip(), says=b"%d\n" % n) for n in range(200)
    }
    refs["refs/heads/torn"] = place.commit("1" * 40, place.tip())
    place.packed(refs)
    with adopting(place.path, tmp_path / "a") as adoption:
        assert [name for name, _ in adoption.history.left_out] == ["refs/heads/torn"]
        assert len(adoption.history.refs) == 201
