"""Questions about a long history: ours against git, at 50,000 turns.

Run it with `python -m tests.bench.bench_timeline [TURNS]`. Commands are timed whole, as a user runs
them, Python's start included; the peer is git in the same run.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from perdure.git.diff.blame import blame
from perdure.git.repository.repository import Author, Change, Repository
from tests.lives import make_life

TURNS = 50_000
TIMES = 5


def median(work: Callable[[], object]) -> float:
    """Median seconds of doing something a few times."""
    spent = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def once(work: Callable[[], object]) -> float:
    """Seconds of doing something."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def command(*words: str) -> Callable[[], object]:
    """A command to run, its output thrown away. Python keeps its bytecode, as installed."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(
        words,
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env=environ,
        timeout=600,
    )


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of a command, and of its CPU; run once before, for the disk's cache."""
    work()
    walls, busy = [], []
    for _ in range(TIMES):
        before = os.times()
        start = time.perf_counter()
        work()
        walls.append(time.perf_counter() - start)
        after = os.times()
        used = after.children_user + after.children_system
        busy.append(used - before.children_user - before.children_system)
    return statistics.median(walls), statistics.median(busy)


def output(path: Path, *words: str) -> list[str]:
    """What git prints, by lines."""
    done = subprocess.run(
        ["git", "-C", str(path), *words], check=True, capture_output=True, text=True, timeout=600
    )
    return done.stdout.split("\n")


def run(turns: int = TURNS) -> None:
    """Print the figures."""
    folder = Path(tempfile.mkdtemp(prefix="bench-timeline-"))
    try:
        path = folder / "mira"
        make_life(path, turns)
        _figures(path, turns)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _figures(path: Path, turns: int) -> None:
    program = str(Path(sys.executable).with_name("perdure"))

    def ours(*words: str) -> Callable[[], object]:
        return command(program, "-c", f"{path}/", *words)

    def gits(*words: str) -> Callable[[], object]:
        return command("git", "-C", str(path), *words)

    load = os.getloadavg()[0]
    print(f"the timeline at {turns:,} turns (commands as run, median of {TIMES}; load {load:.1f})")
    repo = Repository.open(path, recover=False)
    tip = repo.resolve("HEAD")
    busy = time.process_time()
    build = once(lambda: repo.timeline().update(tip))
    busy = time.process_time() - busy
    size = sum(file.stat().st_size for file in repo.cache_dir.glob("timeline-*")) / 1e6
    print(f"  index from nothing: {build:.1f} s (target 60; {busy:.1f} s of CPU), {size:.0f} MB")
    print(f"  5 new commits into the index: {_increment(path) * 1e3:.1f} ms (target 50)")
    pairs = [
        ("log --persona", ours("log", "--persona"), gits("log", "--", "persona"), None),
        ("log --turns -n 50", ours("log", "--turns", "-n", "50"),
         gits("log", "-n", "50", "--", "conversations"), 0.3),
        ("log -n 20", ours("log", "-n", "20"), gits("log", "-n", "20"), 0.2),
    ]  # fmt: skip
    middle = output(
        path, "log", f"--skip={turns // 2}", "-n1", "--format=%(trailers:key=Turn,valueonly)"
    )[0]
    far = min(9000, turns // 2)
    pairs += [
        ("show TURN", ours("show", middle), gits("log", "-n", "1", f"--grep=Turn: {middle}$"), 0.3),
        ("show @", ours("show", "@"), gits("log", "-n", "1", "-p"), 0.3),
        ("rewind TURN --dry-run", ours("rewind", middle, "--dry-run"),
         gits("rev-list", "--count", f"HEAD~{turns // 2}..HEAD"), 0.3),
        ("rewind @-20 --dry-run", ours("rewind", "@-20", "--dry-run"),
         gits("rev-list", "--count", "HEAD~20..HEAD"), 0.3),
        (f"rewind @-{far} --dry-run", ours("rewind", f"@-{far}", "--dry-run"),
         gits("rev-list", "--count", f"HEAD~{far}..HEAD"), None),
        ("show DATE", ours("show", "2026-02-01 12:00"),
         gits("rev-list", "-1", "--first-parent", "--before=2026-02-01 12:00", "HEAD"), None),
        ("blame a persona file", ours("blame", "persona/20-voice.md"),
         gits("blame", "persona/20-voice.md"), None),
    ]  # fmt: skip
    for name, mine, theirs, target in pairs:
        (a, busy), (b, _) = spent(mine), spent(theirs)
        goal = f" (target {target:.1f} s)" if target else ""
        print(
            f"  {name}: {a * 1e3:.0f} ms, {busy * 1e3:.0f} of CPU{goal}, "
            f"git {b * 1e3:.0f} ms: ratio {a / b:.2f}"
        )
    _blames(path)


def _increment(path: Path) -> float:
    """Seconds until the index knows five commits more, median; the commits are not counted."""
    spent = []
    for number in range(TIMES):
        with Repository.open(path, recover=False) as repo:
            for step in range(5):
                change = Change("memory/note.md", f"{number} {step}\n".encode())
                author = Author("Ana", "ana@example.invalid")
                repo.commit([change], message="memory: note\n", author=author, branch="main")
        with Repository.open(path, recover=False) as repo:
            tip = repo.resolve("HEAD")
            timeline = repo.timeline()
            spent.append(once(partial(timeline.update, tip)))
    return statistics.median(spent)


def _blames(path: Path) -> None:
    """Blame without the command around it."""
    repo = Repository.open(path, recover=False)
    tip = repo.resolve("HEAD")
    with repo.timeline().jumps(tip) as jump:
        mine = median(lambda: blame(repo, tip, "persona/20-voice.md", jump))
    print(f"  blame in the process: {mine * 1e3:.1f} ms")


if __name__ == "__main__":
    run(*(int(word) for word in sys.argv[1:2]))
