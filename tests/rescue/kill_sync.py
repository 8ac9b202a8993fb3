"""End a sync at each of its writes: by SIGKILL, or by a disk that is full from then on.

    python -m tests.rescue.kill_sync [--full] [--first N] [--last N] [--every N]

A device has talked, and so has another, which has pushed: a sync takes, merges and sends. A child
does it and ends itself at the n-th call that writes, renames, links, removes or syncs. Then: git
finds both sides sound; each ref is where it was or where it goes; the device talks on; and the next
sync brings both sides together with every word.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.errors import Problem
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author
from tests.conftest import as_its_own, git
from tests.rescue.devices import add_backup, clone, edit, refs, say, sync, words

CALLS = ("write", "pwrite", "rename", "replace", "link", "unlink", "fsync", "fdatasync", "mkdir")


class Ending:
    """Counts the calls that change the disk, and ends the process at one of them."""

    def __init__(self, at: int, *, full: bool) -> None:
        self.at, self.full, self.count = at, full, 0
        for name in CALLS:
            setattr(os, name, self._wrapped(getattr(os, name), name))

    def _wrapped(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            # Standard output is no disk.
            if not (name == "write" and given[0] in {1, 2}):
                self.count += 1
                if self.count >= self.at:
                    self._end(name)
            return real(*given, **more)

        return call

    def _end(self, name: str) -> None:
        if not self.full:
            os.kill(os.getpid(), signal.SIGKILL)
        if name in {"write", "pwrite", "mkdir", "link"}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def child(path: Path, at: int, *, full: bool) -> NoReturn:
    """Sync once; prints how many calls there were, where it came to its end."""
    ending = Ending(at, full=full)
    try:
        sync(path)
    except Problem as problem:
        print(f"problem: {problem}", flush=True)
        os._exit(1)
    print(ending.count, flush=True)
    os._exit(0)


def companion_at(path: Path) -> Path:
    """A new companion."""
    manifest = Manifest(name="rehearsal", driver="embedded", model="smollm2-135m-instruct")
    files = new_companion(template="friend", name="Mira", user="Ana", manifest=manifest, at=now())
    author = Author("Mira", "mira@companion.invalid")
    create_repository(path, files, message="companion: begins\n", author=author).close()
    return path


def prepared(folder: Path) -> None:
    """Two devices that have both talked, one of which has pushed."""
    one = companion_at(folder / "one")
    say(one, "at the beginning")
    # Devices are copied with their place, which is named from there.
    add_backup(one, folder / "place.git")
    sync(one)
    two = clone(folder / "place.git", folder / "two")
    say(two, "on the way")
    edit(two, "persona/30-more.md", "She hums.\n")
    git(two, "branch", "side")
    sync(two)
    say(one, "at home")
    git(one, "tag", "noted")


@contextlib.contextmanager
def copied(start: Path) -> Iterator[tuple[Path, Path]]:
    """A device and its place, as they were prepared."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "start"
        shutil.copytree(start, folder, symlinks=True)
        one, place = folder / "one", folder / "place.git"
        for path in (one / ".git" / "config", one / ".git/perdure/state/remotes/origin.json"):
            path.write_text(path.read_text().replace(str(start / "place.git"), str(place)))
        as_its_own(one)
        yield one, place


def synced_by_child(one: Path, at: int, *, full: bool = False) -> subprocess.CompletedProcess[str]:
    """What the child printed that ended itself at a call, and its exit code."""
    mode = ["--full"] if full else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.rescue.kill_sync", "--child", one, str(at), *mode],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1, -signal.SIGKILL}, done.stderr
    return done


def count_calls(start: Path) -> int:
    """How many calls a sync has that nothing ends."""
    with copied(start) as (one, _):
        return int(synced_by_child(one, sys.maxsize).stdout)


def run_once(start: Path, at: int, *, full: bool) -> bool:
    """End one sync, and look. Returns whether it ended before its own end."""
    with copied(start) as (one, place):
        before = refs(one), refs(place)
        done = synced_by_child(one, at, full=full)
        _check(one, place, before)
        say(one, "it goes on")
        sync(one)
        assert refs(one) == refs(place)
        _check(one, place, (refs(one), refs(place)))
        for text in ("at the beginning", "on the way", "at home", "it goes on"):
            assert text in words(one), text
        return done.returncode != 0


def _check(one: Path, place: Path, before: tuple[dict[str, str], dict[str, str]]) -> None:
    for path, known in zip((one, place), before, strict=True):
        checked = subprocess.run(
            ["git", "-C", path, "fsck", "--full", "--strict", "--no-dangling"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        # What was there is there, or what goes on from it.
        now_there = refs(path)
        for ref, oid in known.items():
            git(path, "merge-base", "--is-ancestor", oid, now_there[ref])


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", nargs=2)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    if given.child:
        child(Path(given.child[0]), int(given.child[1]), full=given.full)
    with tempfile.TemporaryDirectory() as made:
        start = Path(made)
        prepared(start)
        count = 0
        for at in range(given.first, given.last, given.every):
            count += 1
            if not run_once(start, at, full=given.full):
                break
        print(f"{count} syncs ended at their {given.first}th to {at}th write: none lost a word")


if __name__ == "__main__":
    main()
