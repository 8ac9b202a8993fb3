"""How well recall finds, by set: made here but for LongMemEval, which a folder may hold.

Every set is split: settings are chosen on the questions called "tune", and the others tell what
they are worth. The dialogues are told apart the same way: `talk_en` is for tuning, `talk_two_en`
for testing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from perdure.memory.recall import Embedder
from tests.memory.contradicting import life
from tests.memory.recall_eval import (
    Dialogue,
    Figures,
    Finder,
    longmemeval,
    make_companion,
    measure,
    ours,
    read_dialogue,
)
from tests.memory.recall_sets import (
    LANGUAGES,
    SETS,
    facts_life,
    people_life,
    to_the_companion,
    without_names,
)

FIXTURES = Path(__file__).parents[1] / "memory" / "fixtures"


def of_kind(dialogue: Dialogue, kind: str) -> Dialogue:
    """The same with the questions of one kind."""
    return replace(
        dialogue, questions=tuple(each for each in dialogue.questions if each.kind == kind)
    )


def sets() -> Iterator[tuple[str, Dialogue]]:
    """Every set by its name."""
    one, two = FIXTURES / "talk_en.txt", SETS / "talk_two_en.txt"
    yield "talk en tune", read_dialogue(one)
    yield "talk en tune, by message", read_dialogue(one, by_message=True)
    yield "talk en tune, Mira, ...", to_the_companion(read_dialogue(one))
    yield "talk en test", read_dialogue(two)
    yield "talk en test, by message", read_dialogue(two, by_message=True)
    yield "talk en test, no names", without_names(read_dialogue(two))
    yield "talk en test, Marcus, ...", to_the_companion(read_dialogue(two))
    yield "talk zh", read_dialogue(FIXTURES / "talk_zh.txt")
    yield "talk ja", read_dialogue(FIXTURES / "talk_ja.txt")
    for kind in ("tune", "test"):
        for language in LANGUAGES:
            yield f"facts {language} {kind}", of_kind(facts_life(language), kind)
        yield f"people zh {kind}", of_kind(people_life(), kind)
        yield f"people zh, answered {kind}", of_kind(people_life(replies=True), kind)
    for seed in (11, 12, 13, 14, 15):
        yield "updates", life(seed)
    named = os.environ.get("PERDURE_MEMORY_EVAL")
    for file in sorted(Path(named).rglob("longmemeval_s*.json")) if named else []:
        for dialogue in longmemeval(file):
            yield "LongMemEval, sessions", dialogue


def run(embedder: Embedder | None = None, only: str = "") -> dict[str, Figures]:
    """Measure every set; those of one name together. Prints a line a set."""
    folder = Path(tempfile.mkdtemp(prefix="recall-quality-"))
    found: dict[str, list[Figures]] = {}
    try:
        for number, (name, dialogue) in enumerate(sets()):
            if only not in name:
                continue
            with make_companion(folder / str(number), dialogue) as repo:
                finder: Finder = ours(repo, embedder)
                found.setdefault(name, []).append(measure(repo, dialogue, finder))
            shutil.rmtree(folder / str(number))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    joined = {name: _joined(all_) for name, all_ in found.items()}
    print(f"  {'set':28} questions   R@1   R@5  R@10  R@20  in a prompt  session first")
    for name, figures in joined.items():
        row = "  ".join(f"{figures.recall[k]:.2f}" for k in (1, 5, 10, 20))
        print(
            f"  {name:28} {figures.questions:9}  {row}  {figures.within:11.2f}  "
            f"{figures.hit[1]:13.2f}",
            flush=True,
        )
    return joined


def _joined(all_: list[Figures]) -> Figures:
    total = sum(each.questions for each in all_)

    def mean(values: list[float]) -> float:
        return sum(v * each.questions for v, each in zip(values, all_, strict=True)) / total

    return Figures(
        total,
        {k: mean([each.recall[k] for each in all_]) for k in all_[0].recall},
        {k: mean([each.hit[k] for each in all_]) for k in all_[0].hit},
        mean([each.within for each in all_]),
    )
