"""How well recall finds, by set: made here but for LongMemEval, which a folder may hold.

The baselines are SQLite's own ranking of bare messages and textbook BM25 over pairs of characters.
Of LongMemEval (MIT; ``PERDURE_MEMORY_EVAL`` names a folder with its files) sessions are counted.
Settings are compared by folds: a value is chosen by the means of all sets but one, and told by
that one.
"""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from perdure.companion.conversation.chunk import parse_chunks
from perdure.companion.ids import TurnId
from perdure.git.repository.repository import Repository
from perdure.recall import Hit, RecallIndex
from perdure.recall.embedders.e5 import installed
from perdure.recall.language.words import pieces_of
from tests.recall.contradicting import life
from tests.recall.recall_eval import (
    Dialogue,
    Figures,
    Finder,
    Question,
    longmemeval,
    make_companion,
    measure,
    ours,
    read_dialogue,
)
from tests.recall.recall_sets import (
    LANGUAGES,
    SETS,
    facts_life,
    kinds_life,
    people_life,
    to_the_companion,
    updates_life,
    without_names,
)

FIXTURES = Path(__file__).parents[1] / "recall" / "fixtures"


def sets() -> Iterator[tuple[str, Dialogue]]:
    """Every set by its name."""
    one, two = FIXTURES / "talk_en.txt", SETS / "talk_two_en.txt"
    yield "talk en 1", read_dialogue(one)
    yield "talk en 1, by message", read_dialogue(one, by_message=True)
    yield "talk en 1, Mira, ...", to_the_companion(read_dialogue(one))
    yield "talk en 2", read_dialogue(two)
    yield "talk en 2, by message", read_dialogue(two, by_message=True)
    yield "talk en 2, no names", without_names(read_dialogue(two))
    yield "talk en 2, Marcus, ...", to_the_companion(read_dialogue(two))
    yield "talk zh", read_dialogue(FIXTURES / "talk_zh.txt")
    yield "talk ja", read_dialogue(FIXTURES / "talk_ja.txt")
    for language in LANGUAGES:
        for seed in (1, 2, 3):
            yield f"facts {language}", facts_life(language, seed=seed)
    for seed in (1, 2):
        yield "people zh", people_life(seed=seed)
        yield "people zh, answered", people_life(seed=seed, replies=True)
    for seed in (11, 12, 13, 14, 15):
        yield "updates", life(seed)
    for seed in (1, 2, 3):
        yield "updates, in other words", updates_life(seed=seed)
        yield "other ways to ask", kinds_life(seed=seed)
    named = os.environ.get("PERDURE_MEMORY_EVAL")
    for file in sorted(Path(named).rglob("longmemeval_s*.json")) if named else []:
        for dialogue in longmemeval(file):
            yield "LongMemEval, sessions", dialogue


def run(only: str = "") -> None:
    """Measure every set whose name has ``only``; those of one name together."""
    folder = Path(tempfile.mkdtemp(prefix="recall-quality-"))
    found: dict[tuple[str, str], list[Figures]] = {}
    try:
        for number, (name, dialogue) in enumerate(sets()):
            if only in name:
                with make_companion(folder / str(number), dialogue) as repo:
                    for by, finder in _finders(repo).items():
                        found.setdefault((name, by), []).append(measure(repo, dialogue, finder))
                shutil.rmtree(folder / str(number))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"  {'set':26} {'by':16} asked   R@1   R@5  R@10  in 600  in 2,048  newer first")
    for (name, by), all_ in found.items():
        figures = joined(all_)
        row = "  ".join(f"{figures.recall[k]:.2f}" for k in (1, 5, 10))
        newer = f"{figures.newer:11.2f}" if name.startswith("updates") else ""
        print(
            f"  {name:26} {by:16} {figures.questions:5}  {row}  {figures.within:6.2f}  "
            f"{figures.roomy:8.2f}  {newer}",
            flush=True,
        )
    if not os.environ.get("PERDURE_MEMORY_EVAL"):
        print("  LongMemEval: not measured, PERDURE_MEMORY_EVAL names no folder with its files")


def joined(all_: Sequence[Figures]) -> Figures:
    """The figures of several lives as one."""
    total = sum(each.questions for each in all_)

    def mean(values: Sequence[float]) -> float:
        return sum(v * each.questions for v, each in zip(values, all_, strict=True)) / total

    return Figures(
        total,
        {k: mean([each.recall[k] for each in all_]) for k in all_[0].recall},
        {k: mean([each.hit[k] for each in all_]) for k in all_[0].hit},
        mean([each.within for each in all_]),
        mean([each.roomy for each in all_]),
        mean([each.newer for each in all_]),
    )


def _finders(repo: Repository) -> dict[str, Finder]:
    found = {
        "plain FTS5": plain(repo),
        "BM25 over pairs": pairs(repo),
        "words": ours(RecallIndex.open(repo)),
    }
    embedder = installed()
    if embedder is not None:
        index = RecallIndex.open(repo, embedder=embedder)
        index.embed("HEAD")
        found["words and meaning"] = ours(index)
    return found


def _messages(repo: Repository) -> Iterator[tuple[TurnId, str, str]]:
    """Each message: its turn, its text, its chunk."""
    for entry in repo.files("conversations"):
        for chunk in parse_chunks(repo.blob(entry.oid), entry.path):
            for turn in chunk.turns:
                for each in (turn.message, *turn.replies):
                    if each is not None:
                        yield TurnId(chunk.head.conversation, turn.number), each.text, entry.path


def _first_of_each_turn(hits: Iterable[Hit]) -> list[Hit]:
    return list({hit.turn: hit for hit in reversed(list(hits))}.values())[::-1]


def plain(repo: Repository) -> Finder:
    """SQLite's ranking of bare messages: what one gets without doing anything."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE said USING fts5(text)")
    said = list(_messages(repo))
    db.executemany("INSERT INTO said (text) VALUES (?)", [(text,) for _, text, _ in said])

    def find(asked: Question) -> list[Hit]:
        words = "".join(c if c.isalnum() else " " for c in asked.text).split()
        rows = db.execute(
            "SELECT rowid, rank FROM said WHERE said MATCH ? ORDER BY rank LIMIT 100",
            (" OR ".join(f'"{word}"' for word in words),),
        )
        return _first_of_each_turn(
            Hit(said[row - 1][0], -rank, said[row - 1][2], ()) for row, rank in rows
        )

    return find


def pairs(repo: Repository) -> Finder:
    """Textbook BM25 of bare messages, scripts without spaces in pairs of characters."""
    said = list(_messages(repo))
    counts = [Counter(pieces_of(text)) for _, text, _ in said]
    spread = Counter(word for words in counts for word in words)
    sizes = [sum(words.values()) for words in counts]
    mean = sum(sizes) / max(1, len(sizes))

    def find(asked: Question) -> list[Hit]:
        wanted = set(pieces_of(asked.text))
        scores = []
        for at, words in enumerate(counts):
            length = 1.2 * (0.25 + 0.75 * sizes[at] / mean)
            score = sum(
                math.log(1 + (len(said) - spread[word] + 0.5) / (spread[word] + 0.5))
                * (2.2 * words[word] / (words[word] + length))
                for word in wanted & words.keys()
            )
            if score:
                scores.append((-score, at))
        best = sorted(scores)[:100]
        return _first_of_each_turn(Hit(said[at][0], -score, said[at][2], ()) for score, at in best)

    return find


if __name__ == "__main__":
    run()
