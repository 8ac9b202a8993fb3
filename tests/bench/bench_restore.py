"""A restore: what it costs to prove one, against `git clone` and `git fsck --full` in the same run.

Run it with `python -m tests.bench.bench_restore [TURNS]`. The history is that of `tests.lives`, the
remote a bare repository beside it, as `git clone --mirror` makes it. Git clones through its own
server side (``--no-local``); both read from the disk's cache.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from perdure.git.remotes.settings import add_remote, find_remote
from perdure.git.repository.repository import Repository
from perdure.rescue.drill.report import Depth, Verdict
from perdure.rescue.drill.run import drill
from perdure.rescue.drill.voices import confirmed_backends
from perdure.rescue.join import clone_from
from tests.bench.bench_commit import place
from tests.lives import make_life

TURNS = 50_000
NEW = 10


def git(*words: str | Path) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def timed(doing: Callable[[], object]) -> float:
    begun = time.perf_counter()
    doing()
    return time.perf_counter() - begun


def drilled(path: Path, depth: Depth) -> float:
    with Repository.open(path) as repo:
        backends = confirmed_backends(repo) if depth == "speak" else ()
        report = drill(repo, find_remote(repo, "origin"), depth, backends=backends)
    if report.verdict is not Verdict.PROVEN or report.depth != depth:
        raise RuntimeError(f"the drill found: {report.findings}")
    return report.seconds


def run(count: int = TURNS) -> None:
    """Print the figures."""
    folder = place()
    try:
        print(f"restore ({count:,} turns, {folder.parent})")
        life, remote = folder / "life", folder / "place.git"
        make_life(life, count)
        git("clone", "-q", "--mirror", life, remote)
        with Repository.open(life) as repo:
            add_remote(repo, "origin", str(remote))
            tip = repo.resolve("HEAD")
            earlier = repo.resolve(f"HEAD~{NEW}")
        peer = timed(lambda: git("clone", "-q", "--no-local", remote, folder / "by-git"))
        peer += timed(lambda: git("-C", folder / "by-git", "fsck", "--full"))
        ours = timed(lambda: clone_from(str(remote), folder / "ours", lambda _: None))
        print(f"  clone: {ours:.1f} s; git clone and git fsck --full: {peer:.1f} s")
        print(f"  that is {ours / peer:.2f} times as long (target: 1.5)")
        print(f"  full drill: {drilled(life, 'full'):.1f} s (target: 30)")
        print(f"  quick drill, nothing new: {drilled(life, 'quick'):.2f} s (target: 2)")
        for where in (life, remote):
            git("-C", where, "update-ref", "refs/heads/main", earlier)
        drilled(life, "full")
        for where in (life, remote):
            git("-C", where, "update-ref", "refs/heads/main", tip)
        print(f"  quick drill, {NEW} new turns: {drilled(life, 'quick'):.2f} s (target: 2)")
        print(f"  drill that speaks: {drilled(life, 'speak'):.1f} s (target: 60)")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("turns", type=int, nargs="?", default=TURNS)
    run(parser.parse_args().turns)


if __name__ == "__main__":
    main()
