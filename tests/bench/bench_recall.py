"""Recall over a whole life: how long it takes, and how well it finds.

Questions are as long as messages are (18 words in the median). Beside it stands SQLite's own
ranking of the same messages, each a text of its own, without a stop list.

``PERDURE_MEMORY_EVAL`` names a folder with LongMemEval files (MIT); what is found there is measured
by session: whether one with the answer is first, or among the first five, and the share of them
among the sessions of the first ten turns.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from perdure.companion.chunks import parse_chunks
from perdure.companion.ids import TurnId
from perdure.history.repository import Author, Change, Repository
from perdure.memory.recall import Hit, RecallIndex, RecallQuery
from perdure.memory.recall.models import installed
from tests.lives import Words, make_life
from tests.memory.recall_eval import (
    Figures,
    Finder,
    Question,
    longmemeval,
    make_companion,
    measure,
    ours,
    read_dialogue,
)

TURNS = 50_000
_FIXTURES = Path(__file__).parents[1] / "memory" / "fixtures"


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
        _quality(folder)
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
        found = [_timed(lambda q=each: index.find("HEAD", q)) * 1e3 for each in questions]  # type: ignore[misc]
        cuts = statistics.quantiles(found, n=20)
        print(f"  a question: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms (target 30)")
        grown = [_timed(lambda: index.update("HEAD")) for _ in _growing(repo)]
        print(f"  one turn more: {statistics.median(grown) * 1e3:.1f} ms")
        again = [
            (_timed(lambda q=questions[n]: index.find("HEAD", q)) * 1e3)  # type: ignore[misc]
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


def _quality(folder: Path) -> None:
    for language in ("en", "zh", "ja"):
        dialogue = read_dialogue(_FIXTURES / f"talk_{language}.txt")
        with make_companion(folder / language, dialogue) as repo:
            for name, finder in _finders(repo).items():
                figures = measure(repo, dialogue, finder)
                print(
                    f"  own dialogue, {language}, {name}: recall@10 {figures.recall[10]:.3f}, "
                    f"in 600 tokens {figures.within:.3f}, session first {figures.hit[1]:.3f}, "
                    f"in five {figures.hit[5]:.3f}"
                )
    named = os.environ.get("PERDURE_MEMORY_EVAL")
    files = sorted(Path(named).rglob("longmemeval_s*.json")) if named else []
    if not files:
        print("  LongMemEval: not measured, PERDURE_MEMORY_EVAL names no folder with its files")
        return
    totals: dict[str, list[Figures]] = {}
    for number, dialogue in enumerate(each for file in files for each in longmemeval(file)):
        with make_companion(folder / f"longmemeval-{number}", dialogue) as repo:
            for name, finder in _finders(repo).items():
                totals.setdefault(name, []).append(measure(repo, dialogue, finder))
    for name, all_ in totals.items():
        weights = [figures.questions for figures in all_]
        hit1, hit5, recall = (
            sum(value * weight for value, weight in zip(values, weights, strict=True))
            / sum(weights)
            for values in (
                [each.hit[1] for each in all_],
                [each.hit[5] for each in all_],
                [each.recall[10] for each in all_],
            )
        )
        print(
            f"  LongMemEval, {sum(weights)} questions, {name}: session first {hit1:.3f}, "
            f"in five {hit5:.3f}, recall@10 {recall:.3f}"
        )


def _finders(repo: Repository) -> dict[str, Finder]:
    found = {"plain FTS5": plain(repo), "ours": ours(repo)}
    embedder = installed()
    if embedder is not None:
        RecallIndex.open(repo, embedder=embedder).embed("HEAD")
        found["ours with [dense]"] = ours(repo, embedder)
    return found


def plain(repo: Repository) -> Finder:
    """SQLite's ranking of bare messages: what one gets without doing anything."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE said USING fts5(text)")
    turns: list[tuple[TurnId, str]] = []
    for entry in repo.files("conversations"):
        for chunk in parse_chunks(repo.blob(entry.oid), entry.path):
            for turn in chunk.turns:
                for each in (turn.message, *turn.replies):
                    if each is not None:
                        turns.append((TurnId(chunk.head.conversation, turn.number), entry.path))
                        db.execute(
                            "INSERT INTO said (rowid, text) VALUES (?, ?)", (len(turns), each.text)
                        )

    def find(asked: Question) -> list[Hit]:
        words = "".join(c if c.isalnum() else " " for c in asked.text).split()
        rows = db.execute(
            "SELECT rowid, rank FROM said WHERE said MATCH ? ORDER BY rank LIMIT 100",
            (" OR ".join(f'"{word}"' for word in words),),
        )
        hits = [Hit(turns[row - 1][0], -rank, turns[row - 1][1], ()) for row, rank in rows]
        return list({hit.turn: hit for hit in reversed(hits)}.values())[::-1]

    return find


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        _figures(Path(sys.argv[1]))
    else:
        run(*(int(word) for word in sys.argv[1:2]))
