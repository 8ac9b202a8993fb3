"""Recall over a whole life: how long it takes, and how well it finds.

Questions are as long as messages are (18 words in the median). How well it finds is measured by
`tests.bench.recall_quality`.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from perdure.companion.conversation.chunk import parse_chunks
from perdure.git.repository.repository import Author, Change, Repository
from perdure.recall import RecallIndex, RecallQuery
from tests.bench.recall_quality import run as quality
from tests.lives import Words, make_life

TURNS = 50_000


def run(turns: int = TURNS) -> None:
    """Print the figures."""
    folder = Path(tempfile.mkdtemp(prefix="bench-recall-"))
    try:
        make_life(folder / "mira", turns)
        print(f"recall at {turns:,} turns (load {os.getloadavg()[0]:.1f})", flush=True)
        # A process of its own: the memory that it takes is not that of the benches before.
        subprocess.run(
            [sys.executable, "-m", "tests.bench.bench_recall", str(folder / "mira")], check=True
        )
        quality()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _figures(path: Path) -> None:
    with Repository.open(path, recover=False) as repo:
        index = RecallIndex.open(repo)
        seconds = _timed(lambda: index.update("HEAD"))
        size = sum(file.stat().st_size for file in repo.cache_dir.glob("recall-*")) / 1e6
        print(f"  index from nothing: {seconds:.1f} s of CPU (target 60), {size:.0f} MB")
        rng = random.Random(5)
        words = Words(rng)
        questions = [RecallQuery(words.text(18), before=(words.text(60),)) for _ in range(300)]
        first = _timed(lambda: RecallIndex.open(repo).find("HEAD", questions[0]))
        print(f"  first question of a process: {first * 1e3:.0f} ms")
        index.find("HEAD", questions[0])
        found = [_timed(partial(index.find, "HEAD", each)) * 1e3 for each in questions]
        cuts = statistics.quantiles(found, n=20)
        print(f"  a question: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms (target 30)")
        grown = [_timed(lambda: index.update("HEAD")) for _ in _growing(repo)]
        print(f"  one turn more: {statistics.median(grown) * 1e3:.1f} ms")
        again = [
            _timed(partial(index.find, "HEAD", questions[n])) * 1e3
            for n, _ in enumerate(_growing(repo))
        ]
        print(f"  a question after one turn more: p50 {statistics.median(again):.1f} ms")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  memory: {memory:.0f} MB (target 200)")


def _growing(repo: Repository, times: int = 9) -> Iterator[int]:
    """Add a turn to the last chunk, again and again."""
    path = max(entry.path for entry in repo.files("conversations"))
    author = Author("Mira", "mira@companion.invalid")
    for number in range(times):
        chunk = parse_chunks(repo.read(path) or b"", path)[0]
        last = chunk.turns[-1].number + 1
        text = f"\n#### {last} · Ana\n\n> Once more, {number}.\n".encode()
        change = Change(path, (repo.read(path) or b"") + text)
        repo.commit([change], message="turn: more\n", author=author, branch="main")
        yield number


def _timed(work: Callable[[], object]) -> float:
    """Seconds of CPU: on a busy machine the clock says more about the others."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        _figures(Path(sys.argv[1]))
    else:
        run(*(int(word) for word in sys.argv[1:2]))
