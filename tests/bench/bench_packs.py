"""Size and cost of packing: `.git` as the background left it, against git on the same history.

Run it with `python -m tests.bench.bench_packs [TURNS] [--latency]`. The history is that of
`tests.lives`, as `git fast-import` writes it. Its objects are then given to a second repository as
a session would have written them, joined packs of 32 turns each, and after every eighth the steps
of the background run, so that what is measured is the outcome of many small steps and not of one.
Peers: what fast-import wrote, and `git repack -adf` of it. The last part commits real turns while
packing runs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from perdure.git.config import repository as config
from perdure.git.maintenance.verify import check
from perdure.git.objects.store import ObjectStore
from perdure.git.packs import background
from perdure.git.packs.delta import full_entry
from perdure.git.packs.delta_order import tree_entries
from perdure.git.packs.repack import Repacking
from perdure.git.packs.write import PackStream
from perdure.git.repository.create import create_repository
from tests.background import wait_for_children
from tests.bench.bench_commit import MIRA, fsync_latency, ours, place, turns
from tests.lives import make_life

TURNS = 50_000
JOINED = 32


@dataclass
class Cost:
    """What the steps took."""

    seconds: float = 0.0
    longest: float = 0.0
    steps: int = 0
    most_packs: int = 0
    kinds: dict[str, float] = field(default_factory=dict)


def git(path: Path, *words: str) -> str:
    """Run git; what it prints."""
    done = subprocess.run(
        ["git", "-C", str(path), *words], check=True, capture_output=True, text=True, timeout=900
    )
    return done.stdout


def size(path: Path) -> int:
    """Bytes of the objects, indexes included, as `du` would count the files' lengths."""
    objects = path / ".git" / "objects"
    return sum(file.stat().st_size for file in objects.rglob("*") if file.is_file())


def fresh_objects(store: ObjectStore, commit: str, seen: set[bytes]) -> Iterator[bytes]:
    """Ids that a commit adds to what was seen, as a turn's pack would hold them."""
    waiting = [bytes.fromhex(commit)]
    while waiting:
        oid = waiting.pop()
        if oid in seen:
            continue
        seen.add(oid)
        yield oid
        kind, data = store.read(oid.hex())
        if kind == b"commit":
            waiting.append(bytes.fromhex(data[5:45].decode()))
        elif kind == b"tree":
            waiting += [inner for _, _, inner in tree_entries(data) if inner not in seen]


def joined(source: Path) -> Iterator[dict[bytes, bytes]]:
    """The entries of joined packs, as sessions would have left a history, oldest first."""
    store = ObjectStore(source / ".git" / "objects")
    commits = git(source, "rev-list", "--reverse", "--topo-order", "--all").split()
    seen: set[bytes] = set()
    for first in range(0, len(commits), JOINED):
        entries: dict[bytes, bytes] = {}
        for commit in commits[first : first + JOINED]:
            for oid in fresh_objects(store, commit, seen):
                entries[oid] = full_entry(*store.read(oid.hex()))
        yield entries


def adopt(git_dir: Path, entries: dict[bytes, bytes]) -> None:
    """Put a pack in as a session leaves one that it has joined: for the background to pack."""
    with PackStream(git_dir / "objects" / "pack", len(entries)) as stream:
        for oid, entry in entries.items():
            stream.add(oid, entry)
        name = stream.finish(read_back=False)
        stream.put_in_place()
    with (git_dir / "perdure" / "state" / "packs").open("a") as ours:
        ours.write(f"2 {name}\n")


def feed(source: Path, target: Path) -> Cost:
    """Give a history to an empty repository, as sessions and the background would have."""
    subprocess.run(["git", "init", "-q", "-b", "main", target], check=True)
    (target / ".git" / "config").write_text(config.rendered())
    state = target / ".git" / "perdure" / "state"
    state.mkdir(parents=True)
    folder = target / ".git" / "objects" / "pack"
    cost = Cost()
    for number, entries in enumerate(joined(source)):
        adopt(target / ".git", entries)
        if number % background.JOINED_LIMIT == background.JOINED_LIMIT - 1:
            work(target, cost)
            cost.most_packs = max(cost.most_packs, len(list(folder.glob("*.pack"))))
    for line in git(source, "for-each-ref", "--format=%(refname) %(objectname)").splitlines():
        git(target, "update-ref", *line.split())
    return cost


def work(target: Path, cost: Cost) -> None:
    """What one child of the background does."""
    begun = time.process_time()
    for done in Repacking(target / ".git").steps():
        spent = time.process_time() - begun
        cost.seconds += spent
        cost.longest = max(cost.longest, spent)
        cost.steps += 1
        kind = done.lstrip("0123456789 ")
        cost.kinds[kind] = cost.kinds.get(kind, 0.0) + spent
        begun = time.process_time()


def sizes(folder: Path, count: int) -> Path:
    """Print sizes and costs; the repository that the background packed."""
    source, mine = folder / "fast-import", folder / "ours"
    begun = time.perf_counter()
    make_life(source, count)
    imported = size(source)
    print(f"  {count} turns; git fast-import: {imported / 1e6:.2f} MB", flush=True)
    begun = time.perf_counter()
    cost = feed(source, mine)
    ours_size = size(mine)
    packs = len(list((mine / ".git" / "objects" / "pack").glob("*.pack")))
    print(
        f"  ours, as the background left it: {ours_size / 1e6:.2f} MB in {packs} packs (at most"
        f" {cost.most_packs} after a run); {cost.seconds / count * 1e3:.2f} ms of CPU a turn,"
        f" {cost.steps} steps, the longest {cost.longest:.2f} s"
        f" ({time.perf_counter() - begun:.0f} s with feeding)",
        flush=True,
    )
    for kind, spent in cost.kinds.items():
        print(f"    {kind}: {spent:.1f} s")
    begun = time.perf_counter()
    git(source, "repack", "-adfq")
    repacked = size(source)
    print(f"  git repack -adf: {repacked / 1e6:.2f} MB in {time.perf_counter() - begun:.1f} s")
    print(
        f"  ours against the better of both: {ours_size / min(imported, repacked):.3f} (limit 1.1)"
    )
    return mine


def proofs(path: Path) -> None:
    """What git says to it."""
    begun = time.perf_counter()
    said = subprocess.run(
        ["git", "-C", path, "fsck", "--full", "--strict"],
        check=True,
        capture_output=True,
        text=True,
    )
    if said.stdout or said.stderr:
        raise SystemExit(f"git fsck: {said.stdout}{said.stderr}")
    print(f"  git fsck --full --strict: clean, {time.perf_counter() - begun:.1f} s")
    indexes = [str(file) for file in (path / ".git" / "objects" / "pack").glob("*.idx")]
    git(path, "verify-pack", *indexes)
    print("  git verify-pack: clean")
    clone = path.with_name("clone")
    subprocess.run(["git", "clone", "-q", "--no-local", path, clone], check=True)
    print(f"  git clone: {size(clone) / 1e6:.2f} MB")
    shutil.rmtree(clone)
    before = size(path)
    git(path, "gc", "-q")
    print(f"  after the user's own git gc: {size(path) / before:.3f} of the size before")


def latency(folder: Path, count: int = 800) -> None:
    """Commit real turns while a packing process works, and as many while it is stopped.

    Blocks of eight turns take turns: the process goes on (SIGCONT), the process stands still
    (SIGSTOP); so both meet the same history and the same load of other programs. The first turn of
    a block is left out, since it may wait for what the one before has sent to the disk. Halves of
    the blocks without are held against each other as well: that much is the machine's own noise.
    """
    make_life(folder / "stock", 8000)
    blocks: dict[bool, list[list[float]]] = {True: [], False: []}
    talk = turns()
    repo = create_repository(
        folder / "live", {"persona/1.md": b"x\n"}, message="companion: begin\n", author=MIRA
    )
    stock = joined(folder / "stock")
    load = os.getloadavg()[0]
    with repo:
        child = Child(repo.git_dir)
        while sum(len(block) - 1 for block in blocks[True]) < count:
            is_beside = len(blocks[True]) == len(blocks[False])
            if is_beside and not child.is_working():
                fed = list(itertools.islice(stock, 2 * background.JOINED_LIMIT))
                if not fed:
                    break
                for pack in fed:
                    adopt(repo.git_dir, pack)
                child.start()
            child.go_on(does=is_beside)
            block = [ours(repo, next(talk)) for _ in range(8)]
            if not is_beside or child.is_working():
                blocks[is_beside].append(block[1:])
            elif blocks[True]:
                blocks[True].pop()
                blocks[False].pop()
        child.go_on(does=True)
    wait_for_children()
    beside, without = (sorted(itertools.chain(*blocks[key])) for key in (True, False))
    halves = [sorted(itertools.chain(*blocks[False][half::2])) for half in (0, 1)]
    print(f"  load of the machine {load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end")
    _tell("turns beside a packing process", beside)
    _tell("turns while it stands still", without)
    _tell_difference("it delays a turn by", beside, without)
    _tell_difference("noise: turns without it against turns without it", *halves)


class Child:
    """The packing process, which can be made to stand still."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The same process that a session starts."""
        words = [sys.executable, "-P", "-m", background.MODULE, str(self._git_dir)]
        self._process = subprocess.Popen(words)

    def is_working(self) -> bool:
        """Whether it has not come to its end."""
        return self._process is not None and self._process.poll() is None

    def go_on(self, *, does: bool) -> None:
        """Let it work, or stand still."""
        if self._process is not None and self.is_working():
            self._process.send_signal(signal.SIGCONT if does else signal.SIGSTOP)


def _tell(what: str, times: list[float]) -> None:
    print(
        f"  {len(times)} {what}: median {statistics.median(times) * 1e3:.1f} ms,"
        f" 95% {_at(times, 95) * 1e3:.1f}, 99% {_at(times, 99) * 1e3:.1f},"
        f" slowest {times[-1] * 1e3:.1f}"
    )


def _tell_difference(what: str, one: list[float], other: list[float]) -> None:
    apart = [(_at(one, part) - _at(other, part)) * 1e3 for part in (50, 95, 99, 100)]
    print(
        f"  {what}: median {apart[0]:+.1f} ms, 95% {apart[1]:+.1f}, 99% {apart[2]:+.1f},"
        f" slowest {apart[3]:+.1f} (limit 50)"
    )


def _at(times: list[float], part: int) -> float:
    return times[min(len(times) - 1, len(times) * part // 100)]


def checks(path: Path) -> None:
    """Our own check beside git's, on the same repository."""
    for name, doing in (
        ("perdure's check", lambda: check(path / ".git")),
        ("git fsck --full", lambda: git(path, "fsck", "--full")),
    ):
        begun = time.perf_counter()
        doing()
        print(f"  {name}: {time.perf_counter() - begun:.1f} s")


def run(count: int = TURNS, *, only_latency: bool = False) -> None:
    """Print the figures."""
    folder = place()
    try:
        print(f"packs ({folder.parent})")
        print(f"  fsync of a 4 KiB file: {fsync_latency(folder) * 1e3:.2f} ms")
        if not only_latency:
            packed = sizes(folder, count)
            checks(packed)
            proofs(packed)
        latency(folder)
    finally:
        wait_for_children()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("turns", type=int, nargs="?", default=TURNS)
    parser.add_argument("--latency", action="store_true", help="only what packing costs a turn")
    asked = parser.parse_args()
    run(asked.turns, only_latency=asked.latency)


if __name__ == "__main__":
    main()
