"""Cut the line of a sync at each 64 KiB, or kill the server at random; the next try succeeds.

    python -m tests.rescue.cut_sync [--every BYTES] [--kills N] [--seed N]

A device talks by git's own protocol to a `git daemon`, through a relay that stops after some bytes.
Pushes are cut on their way up, pulls on their way down. Then: git finds both sides sound, each ref
is where it was or where it goes, the device talks on, and the next sync makes both sides equal.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perdure.git.wire.errors import RemoteProblem
from tests.conftest import as_its_own, git
from tests.git_servers import CutProxy, GitServer, bare_repository, daemon_server, relay
from tests.rescue.devices import add_backup, clone, refs, say, sync, words
from tests.rescue.kill_sync import companion_at

TURNS, BYTES = 6, 60_000
STEP = 64 * 1024


@dataclass
class Scene:
    """A device, the place that it syncs with, and the line between."""

    device: Path
    place: Path
    server: GitServer
    line: CutProxy


def prepared(folder: Path) -> None:
    """Two devices: ``push`` has much to send, ``pull`` much to get."""
    dice = random.Random(1)
    served = folder / "served"
    served.mkdir()
    place = bare_repository(served)
    companion_at(folder / "pull")
    add_backup(folder / "pull", place)
    sync(folder / "pull")
    clone(place, folder / "push")
    shutil.copytree(place, folder / "early.git")
    for number in range(TURNS):
        say(folder / "push", f"turn {number} {dice.randbytes(BYTES).hex()}")
    shutil.copytree(folder / "push", folder / "other", symlinks=True)
    as_its_own(folder / "other")
    sync(folder / "other")


@contextlib.contextmanager
def scene(start: Path, which: str) -> Iterator[Scene]:
    """A copy of what was prepared, with a server and a line of its own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        served = folder / "served"
        served.mkdir()
        early = start / ("early.git" if which == "push" else "served/mira.git")
        shutil.copytree(early, served / "mira.git")
        device = folder / "device"
        shutil.copytree(start / which, device, symlinks=True)
        with daemon_server(served) as server, relay(server.port) as line:
            url = f"git://127.0.0.1:{line.port}/mira.git"
            for path in (".git/config", ".git/perdure/state/remotes/origin.json"):
                text = (device / path).read_text()
                (device / path).write_text(text.replace(str(start / "served" / "mira.git"), url))
            as_its_own(device)
            yield Scene(device, served / "mira.git", server, line)


def size_of(start: Path, which: str) -> int:
    """Bytes that such a sync moves."""
    with scene(start, which) as found:
        sync(found.device)
        return found.line.passed


def run_once(start: Path, which: str, at: int, *, kill: bool = False) -> None:
    """Cut one sync, look, and sync again."""
    with scene(start, which) as found:
        before = refs(found.device), refs(found.place)
        if which == "push":
            found.line.upward = at
        else:
            found.line.downward = at
        if kill:
            found.line.at_cut = found.server.kill
        with contextlib.suppress(RemoteProblem):
            sync(found.device)
        for path, known in zip((found.device, found.place), before, strict=True):
            git(path, "fsck", "--full", "--strict", "--no-dangling")
            there = refs(path)
            for ref, oid in known.items():
                git(path, "merge-base", "--is-ancestor", oid, there[ref])
        say(found.device, "it goes on")
        found.line.upward = found.line.downward = None
        _sync_again(found)
        assert refs(found.device) == refs(found.place)
        said = words(found.device)
        assert "it goes on" in said
        assert f"turn {TURNS - 1}" in said


def _sync_again(found: Scene) -> None:
    """The next try; a lock that a killed server left is git's to be removed by who runs it."""
    locks = list(found.place.rglob("*.lock"))
    for lock in locks:
        lock.unlink()
    sync(found.device)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=STEP)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        start = Path(made)
        prepared(start)
        dice = random.Random(given.seed)
        for which in ("push", "pull"):
            size = size_of(start, which)
            cuts = (
                [dice.randrange(size) for _ in range(given.kills // 2)]
                if given.kills
                else list(range(0, size, given.every))
            )
            for at in cuts:
                run_once(start, which, at, kill=bool(given.kills))
            verb = "server killed" if given.kills else "cut"
            print(
                f"{which} of {size:,} bytes {verb} {len(cuts)} times: none lost a word", flush=True
            )


if __name__ == "__main__":
    main()
