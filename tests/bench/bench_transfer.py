"""What goes over the wire: taking in a whole history, and a push of ten turns, against git.

Run it with `python -m tests.bench.bench_transfer [TURNS]`. The history is that of `tests.lives`.
The pack that `git clone` has received is received once more by ours: every object resolved and
hashed, all that it names looked for, on the disk at the end. The peer is that clone and `git fsck
--full`, which together give the same certainty (git's clone also checks the files out, ours not).
"""

from __future__ import annotations

import argparse
import shutil
import struct
import subprocess
import time
from pathlib import Path

from perdure.git.packs.incoming import IncomingPack, check_incoming
from perdure.git.packs.outgoing import outgoing, slices
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Repository
from tests.bench.bench_commit import MIRA, fsync_latency, place
from tests.bench.bench_packs import TURNS, git
from tests.lives import make_life

_PIECE = 65_536


def receive(pack: Path, target: Path) -> float:
    """Seconds in which ours takes a pack in."""
    with create_repository(
        target, {"a.md": b"x\n"}, message="companion: begin\n", author=MIRA
    ) as r:
        begun = time.perf_counter()
        with IncomingPack(r.git_dir) as incoming, pack.open("rb") as source:
            while data := source.read(_PIECE):
                incoming.write(data)
            received = time.perf_counter()
            incoming.index(r.parts().store)
            resolved = time.perf_counter()
            troubles = check_incoming(incoming, r.parts().store, [])
            with r.writer.exclusive("fetching"):
                keep = incoming.put_in_place(r.writer.packs)
            if troubles or keep is None:
                raise SystemExit(f"what git sent was refused: {troubles[:3]}")
            keep.release()
        spent = time.perf_counter() - begun
        print(
            f"  ours: {incoming.count} objects, {incoming.size / 1e6:.1f} MB in {spent:.1f} s"
            f" (written {received - begun:.1f}, resolved and hashed {resolved - received:.1f})",
            flush=True,
        )
    return spent


def clone(folder: Path, source: Path) -> None:
    """Print what it takes to have a whole history from elsewhere, checked."""
    begun = time.perf_counter()
    git(folder, "clone", "-q", "--no-local", str(source), str(folder / "theirs"))
    cloned = time.perf_counter() - begun
    git(folder / "theirs", "fsck", "--full")
    theirs = time.perf_counter() - begun
    print(f"  git clone {cloned:.1f} s, git fsck --full {theirs - cloned:.1f} s", flush=True)
    (pack,) = (folder / "theirs" / ".git" / "objects" / "pack").glob("*.pack")
    begun = time.perf_counter()
    git(folder / "theirs", "index-pack", "--strict", "-o", str(folder / "idx"), str(pack))
    print(f"  git index-pack --strict {time.perf_counter() - begun:.1f} s", flush=True)
    ours = receive(pack, folder / "ours")
    print(f"  ours against git clone + git fsck: {ours / theirs:.2f} (limit 1.5)")


def push(source: Path, turns: int) -> None:
    """Print bytes and time of what a push of some turns sends; 0: all of them, in slices."""
    tip = git(source, "rev-parse", "main").strip()
    known = [git(source, "rev-parse", f"main~{turns}").strip()] if turns else []
    sent, spent, count, parts_sent = 0, 1e9, 0, 0
    with Repository.open(source, recover=False) as repo:
        for _ in range(3 if turns else 1):
            begun = time.perf_counter()
            sent = count = 0
            before = known
            ends = slices(repo.parts(), tip, known)
            for end in ends:
                pack = outgoing(repo.parts(), [end], before)
                sent += 32 + sum(len(entry) for _, entry in pack.entries)
                count += pack.count
                before = [end]
            spent, parts_sent = min(spent, time.perf_counter() - begun), len(ends)
    words = ["pack-objects", "--thin", "--revs", "--stdout", "--delta-base-offset", "-q"]
    begun = time.perf_counter()
    theirs = subprocess.run(
        ["git", "-C", str(source), *words],
        input="\n".join([tip, *(f"^{each}" for each in known), ""]).encode(),
        check=True,
        capture_output=True,
    ).stdout
    took = time.perf_counter() - begun
    (number,) = struct.unpack_from(">L", theirs, 8)
    what = f"a push of {turns} turns" if turns else f"a first push, in {parts_sent} slices"
    print(
        f"  {what}: {count} objects, {sent:,} bytes, {spent * 1e3:.1f} ms; git pack-objects:"
        f" {number}, {len(theirs):,}, {took * 1e3:.1f} ms; bytes {sent / len(theirs):.2f}"
        " (limit 1.1)",
        flush=True,
    )


def run(count: int = TURNS) -> None:
    """Print the figures."""
    folder = place()
    try:
        print(f"transfer ({folder.parent})")
        print(f"  fsync of a 4 KiB file: {fsync_latency(folder) * 1e3:.2f} ms")
        source = folder / "life"
        make_life(source, count)
        git(source, "repack", "-adfq")
        clone(folder, source)
        for turns in (10, 100, 0):
            push(source, turns)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("turns", type=int, nargs="?", default=TURNS)
    run(parser.parse_args().turns)


if __name__ == "__main__":
    main()
