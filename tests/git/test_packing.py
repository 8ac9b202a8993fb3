from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import child
from perdure.git.errors import DamagedRepository
from perdure.git.maintenance import process
from perdure.git.objects.pack import OFS_DELTA, PackFile, apply_delta
from perdure.git.objects.store import ObjectStore, object_id
from perdure.git.packs import background, delta_order, repack, small, write
from perdure.git.packs.delta import delta, entry_header, full_entry
from perdure.git.packs.join import DEPTH, Join
from perdure.git.packs.repack import Repacking
from perdure.git.packs.scan import contents, pack_entries
from perdure.git.packs.write import PackStream
from perdure.git.repository.repository import Author, Change, Repository
from tests.background import wait_for_children
from tests.processes import killed_after, started

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")
VOICE = "persona/20-voice.md"


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four turns are joined, two joined packs made small, two small ones merged; by hand only."""
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    monkeypatch.setattr(repack, "JOINED_LIMIT", 2)
    monkeypatch.setattr(repack, "FAN", 2)
    monkeypatch.setattr(repack, "STEP_PACKS", 2)
    monkeypatch.setattr(background, "JOINED_LIMIT", 1000)


def say(repo: Repository, count: int, *, first: int = 0) -> None:
    """Turns in conversations of ten, days of thirty, a persona edit now and then."""
    dice = random.Random(first)
    for number in range(first, first + count):
        path = f"conversations/2026-11/{number // 30:02d}/chunk-{number // 10:04d}.md"
        text = (repo.read(path) or b"") + f"turn {number} {dice.random()} ".encode() * 9 + b"\n"
        message = f"turn: words {dice.random()}\n\nTurn: a/{number}\nTokens: {number}+1\n"
        repo.commit([Change(path, text)], message=message, author=MIRA, branch="main")
        if number % 7 == 3:
            lines = b"".join(b"line %d %d\n" % (n, number if n % 9 == 1 else 0) for n in range(40))
            repo.commit([Change(VOICE, lines)], message="persona: edit", author=MIRA, branch="main")


def everything(path: Path) -> dict[str, tuple[bytes, bytes]]:
    """All objects, read by a store that has seen nothing yet."""
    listed = subprocess.run(
        ["git", "-C", path, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    store = ObjectStore(path / ".git" / "objects")
    found = {oid: store.read(oid) for oid in listed}
    assert all(object_id(*content) == oid for oid, content in found.items())
    return found


def folder_of(repo: Repository) -> Path:
    return repo.git_dir / "objects" / "pack"


def size_of(repo: Repository) -> int:
    return sum(path.stat().st_size for path in folder_of(repo).glob("*.pack"))


def pack_all(repo: Repository) -> list[str]:
    return list(Repacking(repo.git_dir).steps())


def deepest(git: Git, repo: Repository) -> int:
    """The longest chain of deltas that git finds."""
    lines = git("verify-pack", "-v", *map(str, folder_of(repo).glob("*.idx"))).splitlines()
    rows = [line.split() for line in lines if len(line.split()) == 7]
    return max((int(row[5]) for row in rows), default=0)


@given(st.data(), st.sampled_from([b"blob", b"tree", b"commit"]))
def test_a_delta_makes_its_target(data: st.DataObject, kind: bytes) -> None:
    if kind == b"tree":
        entry = st.builds(
            lambda name, oid: b"100644 f%d\0" % name + oid,
            st.integers(0, 30), st.binary(min_size=20, max_size=20),
        )  # fmt: skip
        content = st.lists(entry, max_size=12).map(b"".join)
    else:
        words = [b"parent ", b"Turn: ", b"a" * 30, b"bcd", b"\n", b"\n\n", b"Model: x\n", b"\0"]
        content = st.lists(st.sampled_from(words) | st.binary(max_size=9), max_size=30).map(
            b"".join
        )
    base, target = data.draw(content), data.draw(content)
    assert apply_delta(base, delta(kind, base, target)) == target


def test_a_delta_of_large_files_makes_its_target() -> None:
    dice = random.Random(5)
    base = dice.randbytes(17 * 1024 * 1024)
    target = base[:16_900_000] + b"in between" + base[16_900_500:]
    made = delta(b"blob", base, target)
    assert apply_delta(base, made) == target
    assert len(made) < 100


@pytest.mark.usefixtures("_small")
def test_what_turns_wrote_becomes_few_small_packs(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    say(repo, 64)
    before, size = everything(repo.path), size_of(repo)
    done = pack_all(repo)
    assert any("merged" in step for step in done)
    assert any("made small" in step for step in done)
    assert everything(repo.path) == before
    assert len(list(folder_of(repo).glob("*.pack"))) <= 8
    assert size_of(repo) < size * 0.6, "most of it are the words, which are random"
    assert 0 < deepest(git, repo) <= DEPTH
    assert pack_all(repo) == []
    say(repo, 9, first=64)
    sound()
    with Repository.open(repo.path) as again:
        assert sum(1 for _ in again.commits.log()) == 1 + 73 + 10


@pytest.mark.usefixtures("_small")
def test_packs_are_as_small_as_gits(repo: Repository, git: Git) -> None:
    say(repo, 88)
    while pack_all(repo):
        pass
    git("repack", "-q", "-d", "-l")
    ours = size_of(repo)
    git("repack", "-adfq", "--depth=50", "--window=10")
    assert ours < 1.6 * size_of(repo), "a tail of single turns, and ten small packs instead of one"


def test_a_session_starts_it_and_nothing_stays(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    for number in range(33):
        repo.commit([Change("a.md", b"word " * number)], message="t", author=MIRA, branch="main")
    wait_for_children()
    assert child.spawned == set()
    assert not background.is_running(repo.git_dir)
    assert not background.failure_file(repo.git_dir).exists()
    assert len(list(folder_of(repo).glob("*.pack"))) <= 5
    assert deepest(git, repo) > 1
    assert repo.read("a.md") == b"word " * 32
    sound()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for somebody else's child")
def test_it_goes_on_when_the_program_that_started_it_ends(repo: Repository) -> None:
    """As after `perdure say`: the last turn's process is gone long before packing is done."""
    script = (
        "import sys\nfrom perdure import child\nfrom perdure.git.packs import small\n"
        "from perdure.git.repository.repository import Author, Change, Repository\n"
        "small.SMALL_LIMIT = 4\n"
        "with Repository.open(sys.argv[1]) as repo:\n"
        "    for n in range(31):\n"
        "        repo.commit([Change('a.md', b'x' * n)], message='t', branch='main',\n"
        "            author=Author('Mira', 'm@x.invalid'))\n"
        "print(*child.spawned)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, repo.path],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    try:
        waiting = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        pass  # it was quick
    else:
        poll = select.poll()
        poll.register(waiting, select.POLLIN)
        poll.poll()
        os.close(waiting)
    assert small.read_list(repo.state_dir / "packed", folder_of(repo)).packs
    assert repo.read("a.md") == b"x" * 30


def test_it_is_not_started_twice_nor_right_after_a_failure(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []

    def spawn(_module: str, path: Path) -> bool:
        started.append(path)
        return True

    monkeypatch.setattr(child, "spawn", spawn)
    assert not background.start_if_due(repo.git_dir, background.JOINED_LIMIT - 1)
    with background.packing_lock(repo.git_dir) as lock:
        assert lock.try_take()
        assert background.is_running(repo.git_dir)
        assert not background.start_if_due(repo.git_dir, background.JOINED_LIMIT)
        assert process.work(repo.git_dir) == 0, "another one is at it"
    background.failure_file(repo.git_dir).write_text("no space\n")
    assert not background.start_if_due(repo.git_dir, background.JOINED_LIMIT)
    long_ago = time.time() - 3600
    os.utime(background.failure_file(repo.git_dir), (long_ago, long_ago))
    assert started == []
    assert background.start_if_due(repo.git_dir, background.JOINED_LIMIT)
    assert started == [repo.git_dir]


def test_a_folder_with_modules_of_its_own_runs_nothing(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program may have been started from the folder of a companion that a stranger made."""
    trap = tmp_path / "trap" / "perdure" / "git" / "maintenance"
    trap.mkdir(parents=True)
    for folder in (trap, trap.parent, trap.parent.parent):
        (folder / "__init__.py").write_text("")
    proof = tmp_path / "proof"
    (trap / "process.py").write_text(f"open({str(proof)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path / "trap")
    assert background.start_if_due(repo.git_dir, background.JOINED_LIMIT)
    wait_for_children()
    assert not proof.exists()


def test_the_process_imports_no_heavy_library() -> None:
    heavy = {"dulwich", "asyncio", "msgspec", "sqlite3", "ruamel", "textual", "click", "httpx2"}
    script = f"import sys, perdure.git.maintenance.process\nprint({heavy!r} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout == "set()\n"


# What is not ours


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("mark", [".keep", ".promisor", ".mtimes", ".bitmap"])
def test_marked_packs_and_packs_of_git_stay(repo: Repository, git: Git, mark: str) -> None:
    git("repack", "-q", "-ad")
    theirs = {path.name for path in folder_of(repo).glob("*.pack")}
    assert len(theirs) == 1
    say(repo, 16)
    marked = next(iter(_listed(repo)))
    (folder_of(repo) / marked.replace(".pack", mark)).touch()
    assert pack_all(repo)
    left = {path.name for path in folder_of(repo).glob("*.pack")}
    assert theirs | {marked} <= left
    (folder_of(repo) / marked.replace(".pack", mark)).unlink()
    assert git("fsck", "--full", "--strict") == ""


def _listed(repo: Repository) -> list[str]:
    found = small.read_list(repo.state_dir / "packs", folder_of(repo)).free
    return [f"{name}.pack" for name, tier in found.items() if tier > 1]


@pytest.mark.usefixtures("_small")
def test_a_mark_set_meanwhile_is_heeded(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    say(repo, 16)
    marked = _listed(repo)[0]
    place = PackStream.put_in_place

    def placing(stream: PackStream) -> None:
        (folder_of(repo) / marked.replace(".pack", ".keep")).touch()
        place(stream)

    monkeypatch.setattr(PackStream, "put_in_place", placing)
    assert pack_all(repo)
    assert (folder_of(repo) / marked).exists()


@pytest.mark.usefixtures("_small")
def test_a_multi_pack_index_goes_first_and_a_chain_of_them_is_left(
    repo: Repository, git: Git, sound: Callable[[], None]
) -> None:
    say(repo, 16)
    git("multi-pack-index", "write")
    assert pack_all(repo)
    assert not (folder_of(repo) / "multi-pack-index").exists()
    sound()
    say(repo, 16, first=16)
    (folder_of(repo) / "multi-pack-index.d").mkdir()
    assert pack_all(repo) == []


@pytest.mark.usefixtures("_small")
def test_it_waits_for_a_git_gc_that_is_alive(repo: Repository) -> None:
    say(repo, 16)
    host = os.uname().nodename
    (repo.git_dir / "gc.pid").write_text(f"{os.getpid()} {host}")
    assert pack_all(repo) == []
    (repo.git_dir / "gc.pid").write_text(f"{2**22 + 5} {host}")
    assert pack_all(repo)


@pytest.mark.usefixtures("_small")
def test_a_damaged_pack_is_left_as_it_is(repo: Repository) -> None:
    say(repo, 24)
    broken = folder_of(repo) / _listed(repo)[0]
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 8
    broken.chmod(0o600)
    broken.write_bytes(data)
    assert pack_all(repo)
    assert broken.read_bytes() == data
    assert len(_listed(repo)) <= 2


def test_many_loose_objects_of_git_are_packed(
    repo: Repository, git: Git, tmp_path: Path, sound: Callable[[], None]
) -> None:
    for number in range(1400):
        (tmp_path / f"{number}").write_text(f"number {number}\n")
    names = "\n".join(str(tmp_path / f"{number}") for number in range(1400))
    git("-c", "core.fsync=none", "hash-object", "-w", "--stdin-paths", data=names.encode())
    git("commit", "-q", "--allow-empty", "-m", "by hand")
    before = everything(repo.path)
    broken = next(repack.loose_files(repo.git_dir / "objects"))
    whole = broken.read_bytes()
    broken.chmod(0o600)
    broken.write_bytes(b"")
    repo.commit([Change("a.md", b"a")], message="t", author=MIRA, branch="main")
    wait_for_children()
    assert git("count-objects").startswith("1 objects"), "the empty one is left for the check"
    broken.write_bytes(whole)
    after = everything(repo.path)
    assert before.items() <= after.items()
    sound()


# Merging


Entry = tuple[bytes, bytes, bytes | None, bytes]


def _pack(folder: Path, entries: list[Entry]) -> PackFile:
    """A pack of (id, content, base id, base content), all of them blobs."""
    stream = PackStream(folder, len(entries))
    at: dict[bytes, int] = {}
    for oid, data, base, before in entries:
        if base is None:
            entry = full_entry(b"blob", data)
        else:
            made = delta(b"blob", before, data)
            head = entry_header(OFS_DELTA, len(made), stream.size - at[base])
            entry = head + zlib.compress(made)
        at[oid] = stream.add(oid, entry)
    name = stream.finish()
    stream.put_in_place()
    return PackFile(folder / f"{name}.idx")


def _joined(repo: Repository, packs: Sequence[PackFile]) -> PackStream:
    plan = Join(packs, repo.parts().store)
    stream = PackStream(folder_of(repo), plan.count)
    plan.write(stream)
    return stream


def _blobs(count: int) -> list[tuple[bytes, bytes]]:
    texts = [b"a line that stays\n" * 20 + b"x" * number for number in range(count)]
    return [(bytes.fromhex(object_id(b"blob", text)), text) for text in texts]


def test_packs_that_would_make_a_circle_do_not(repo: Repository, git: Git) -> None:
    (x, one), (y, two) = _blobs(2)
    first = _pack(folder_of(repo), [(x, one, None, b""), (y, two, x, one)])
    second = _pack(folder_of(repo), [(y, two, None, b""), (x, one, y, two)])
    stream = _joined(repo, [first, second])
    name = stream.finish()
    stream.put_in_place()
    merged = PackFile(folder_of(repo) / f"{name}.idx")
    assert {content.oid for content in contents(merged) if content.is_sound} == {x, y}
    git("verify-pack", str(folder_of(repo) / f"{name}.idx"))


def test_a_base_that_stands_behind_its_delta_is_no_trouble(
    repo: Repository, git: Git, tmp_path: Path
) -> None:
    """As in packs from elsewhere, which name bases by id: built by hand, with a REF_DELTA first."""
    (x, one), (y, two) = _blobs(2)
    made = delta(b"blob", one, two)
    stream = PackStream(folder_of(repo), 2)
    stream.add(y, entry_header(7, len(made)) + x + zlib.compress(made))
    stream.add(x, full_entry(b"blob", one))
    name = stream.finish()
    stream.put_in_place()
    whole = PackFile(folder_of(repo) / f"{name}.idx")
    merged = _joined(repo, [whole])
    new = merged.finish()
    merged.put_in_place()
    git("verify-pack", str(folder_of(repo) / f"{new}.idx"))
    assert PackFile(folder_of(repo) / f"{new}.idx").count == 2


def test_chains_that_would_get_too_deep_are_encoded_again(repo: Repository, git: Git) -> None:
    """The newer pack has a chain of 48; each object of the older one stands on its end."""
    texts = _blobs(90)
    long: list[Entry] = [(*texts[0], None, b"")]
    long += [(*texts[n], *texts[n - 1]) for n in range(1, 49)]
    tail: list[Entry] = [(*texts[48], None, b"")]
    tail += [(*texts[n], *texts[n - 1]) for n in range(49, 90)]
    packs_there = [_pack(folder_of(repo), long), _pack(folder_of(repo), tail)]
    stream = _joined(repo, packs_there)
    name = stream.finish()
    stream.put_in_place()
    lines = git("verify-pack", "-v", str(folder_of(repo) / f"{name}.idx")).splitlines()
    depths = [int(line.split()[5]) for line in lines if len(line.split()) == 7]
    assert 40 < max(depths) <= DEPTH
    found = {
        content.oid: content.data for content in contents(PackFile(folder_of(repo) / f"{name}.idx"))
    }
    assert found == dict(texts)


@pytest.mark.usefixtures("_small")
def test_at_a_seam_the_older_version_is_a_delta_of_the_newer(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"".join(b"line %d\n" % number for number in range(900))
    for number in range(17):
        repo.commit([Change("a.md", text + b"x" * number)], message="t", author=MIRA, branch="main")
    pack_all(repo)
    tiers = small.read_list(repo.state_dir / "packed", folder_of(repo)).packs
    (merged,) = [name for name, tier in tiers.items() if tier > repack.FIRST_TIER]
    entries, _ = pack_entries(PackFile(folder_of(repo) / f"{merged}.idx"))
    whole = [slot for slot in entries if slot.number == 3 and slot.size > 5000]
    assert len(whole) == 1


@pytest.mark.usefixtures("_small")
def test_versions_are_found_by_path_and_the_rest_is_kept_too(repo: Repository) -> None:
    say(repo, 12)
    found = everything(repo.path)
    objects = {bytes.fromhex(oid): content for oid, content in found.items()}
    stray = bytes.fromhex(object_id(b"blob", b"staged"))
    objects[stray] = b"blob", b"staged"
    order = delta_order.in_order(objects)
    assert sorted(oid for _, _, oid in order) == sorted(objects)
    chunks = Counter(path for kind, path, _ in order if kind == b"blob")
    assert max(chunks.values()) == 10, "the versions of one chunk"
    assert order[-1][2] == stray


# Accidents

STEPS = [
    "perdure.git.packs.write.PackStream.add",
    "perdure.git.packs.write.PackStream.finish",
    "perdure.git.packs.write.verify",
    "perdure.git.packs.repack.write_list",
    "perdure.git.packs.write.PackStream.put_in_place",
    "perdure.git.packs.write.disk.sync_folder",
    "perdure.git.packs.repack.remove_multi_pack_index",
    "perdure.git.packs.repack.remove_pack",
]
CHILD = """
import importlib, os, sys
from pathlib import Path
from perdure.git.packs import repack
repack.JOINED_LIMIT = repack.FAN = repack.STEP_PACKS = 2
where, times = sys.argv[2], int(sys.argv[3])
owner, _, name = where.rpartition(".")
try:
    place = importlib.import_module(owner)
except ImportError:
    module, _, rest = owner.rpartition(".")
    place = getattr(importlib.import_module(module), rest)
inner = getattr(place, name)
def dying(*args, **more):
    global times
    times -= 1
    if times < 0:
        os._exit(77)
    return inner(*args, **more)
setattr(place, name, dying)
packer = repack.Repacking(Path(sys.argv[1]))
for _ in packer.steps(): pass
"""


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("where", STEPS)
def test_dying_at_any_step_costs_nothing(
    repo: Repository, sound: Callable[[], None], where: str
) -> None:
    say(repo, 32)
    before = everything(repo.path)
    times = 0
    codes: list[int] = []
    while 0 not in codes[-1:]:
        words = [sys.executable, "-c", CHILD, str(repo.git_dir), where, str(times)]
        codes.append(subprocess.run(words, check=False).returncode)
        assert codes[-1] in {0, 77}
        assert everything(repo.path) == before
        times = times * 3 + 1 if where.endswith("add") else times + 1
    assert 77 in codes
    sound()
    assert not list(folder_of(repo).glob("tmp_*"))
    say(repo, 1, first=32)


@pytest.mark.usefixtures("_small")
def test_a_kill_at_any_moment_costs_nothing(repo: Repository, sound: Callable[[], None]) -> None:
    dice = random.Random(11)
    said = 0
    for _ in range(12):
        say(repo, 8, first=said)
        said += 8
        words = [sys.executable, "-c", CHILD, str(repo.git_dir), STEPS[0], "1000000"]
        with (
            killed_after(subprocess.Popen(words)) as child,
            suppress(subprocess.TimeoutExpired),
        ):
            child.wait(timeout=dice.uniform(0.05, 0.4))
        everything(repo.path)
        with Repository.open(repo.path) as again:
            assert again.resolve("HEAD") == repo.resolve("HEAD")
    pack_all(repo)
    sound()


@pytest.mark.usefixtures("_small")
def test_a_full_disk_at_any_write_costs_nothing(
    repo: Repository, sound: Callable[[], None]
) -> None:
    say(repo, 24)
    before = everything(repo.path)
    script = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from perdure.git.maintenance import process\nfrom perdure.git.packs import repack\n"
        "repack.JOINED_LIMIT = repack.FAN = 2\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))\n"
        "sys.exit(process.work(Path(sys.argv[1])))\n"
    )
    codes = []
    for limit in (0, 20, 100, 400, 1500, 2500, 4000, 6000, 10_000, 14_000, 1 << 30):
        words = [sys.executable, "-c", script, str(repo.git_dir), str(limit)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert done.returncode in {0, 1}, done.stderr
        codes.append(done.returncode)
        assert everything(repo.path) == before
        assert not list(folder_of(repo).glob("tmp_*"))
    assert codes.count(1) > 5
    assert codes[-1] == 0
    assert not background.failure_file(repo.git_dir).exists()
    say(repo, 2, first=24)
    sound()


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("entries", [False, True])
def test_power_cuts_leave_everything_readable(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, entries: bool
) -> None:
    from tests.git.test_recovery import Disk

    say(repo, 32)
    before = everything(repo.path)
    disk = Disk(repo.path)
    cuts: list[Path] = []

    def cut() -> None:
        target = tmp_path / f"cut-{len(cuts)}"
        disk.after_the_cut(target, entries=entries)
        cuts.append(target)

    steps = [
        (PackStream, "finish"), (write, "verify"), (repack, "write_list"),
        (PackStream, "put_in_place"), (repack, "remove_multi_pack_index"),
        (repack, "remove_pack"), (PackStream, "abandon"),
    ]  # fmt: skip
    with disk.watch(monkeypatch), monkeypatch.context() as patch:
        for owner, name in steps:
            inner = getattr(owner, name)

            def stepping(*args: object, _inner: object = inner, **more: object) -> object:
                cut()
                assert callable(_inner)
                return _inner(*args, **more)

            patch.setattr(owner, name, stepping)
        assert len(pack_all(repo)) > 3
        cut()
    assert len(cuts) > 20
    for place in cuts:
        assert everything(place).keys() >= before.keys()
        checked = subprocess.run(
            ["git", "-C", place, "fsck", "--full", "--strict"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.usefixtures("_small")
def test_a_pack_that_does_not_read_back_replaces_nothing(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk keeps another byte than was written; the checksum of the pack is made to fit."""
    say(repo, 16)
    before, there = everything(repo.path), sorted(folder_of(repo).glob("*.pack"))
    add = PackStream.add

    def adding(stream: PackStream, oid: bytes, entry: bytes) -> int:
        return add(stream, oid, full_entry(b"blob", b"another") if oid[0] % 2 else entry)

    with monkeypatch.context() as patch:
        patch.setattr(PackStream, "add", adding)
        with pytest.raises(DamagedRepository):
            pack_all(repo)
    assert sorted(folder_of(repo).glob("*.pack")) == there
    assert not list(folder_of(repo).glob("tmp_*"))
    assert everything(repo.path) == before
    assert pack_all(repo)


# Readers beside it


@pytest.mark.usefixtures("_small")
def test_a_reader_that_has_only_listed_the_packs_goes_on(repo: Repository) -> None:
    say(repo, 32)
    before = everything(repo.path)
    reader = ObjectStore(repo.git_dir / "objects")
    reader.rescan()
    pack_all(repo)
    assert {oid: reader.read(oid) for oid in before} == before


@pytest.mark.usefixtures("_small")
def test_a_pack_that_goes_while_the_folder_is_listed_is_no_loss(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing has the old packs only; each is gone when it is opened."""
    say(repo, 16)
    before = everything(repo.path)
    reader = ObjectStore(repo.git_dir / "objects")
    add_pack = ObjectStore.add_pack
    waiting: Iterator[str] = Repacking(repo.git_dir).steps()

    def adding(store: ObjectStore, name: str) -> None:
        if store is reader:
            next(waiting, None)
        add_pack(store, name)

    monkeypatch.setattr(ObjectStore, "add_pack", adding)
    assert {oid: reader.read(oid) for oid in before} == before


def test_readers_in_another_process_never_miss_an_object(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    say(repo, 20)
    script = (
        "import sys\nfrom perdure.git.repository.repository import Repository\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush()\n"
        "tips = 0\n"
        "while not (sys.stdin.closed or tips > 3000):\n"
        "    repo = Repository.open(sys.argv[1], recover=False)\n"
        "    for info in repo.commits.log(limit=30):\n"
        "        for change in repo.commits.changed(info.id): repo.blob(change.new_oid)\n"
        "    tips += 1\n"
        "    import os\n"
        "    if os.path.exists(sys.argv[2]): break\n"
        "print(tips)\n"
    )
    done = repo.git_dir / "enough"
    command = [sys.executable, "-c", script, str(repo.path), str(done)]
    pipe = subprocess.PIPE
    with started(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        say(repo, 100, first=20)
        wait_for_children()
        done.touch()
        said, trouble = reader.communicate()
    assert (trouble, reader.returncode) == ("", 0)
    assert int(said) > 0
