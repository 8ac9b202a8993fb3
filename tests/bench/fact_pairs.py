"""How often a hint about two facts is right: ``python -m tests.bench.fact_pairs``.

``fact_pairs/<language>.txt`` holds pairs as companions of ordinary people hold them, labelled
before any of them was compared: ``!`` cannot both hold, ``=`` say the same, ``.`` neither. Lines
with ``+`` are the facts of one person, which all hold: whatever is said of two of them is wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from perdure.companion.memory.facts import Fact
from perdure.memory.similarity import is_alike, is_contrary, pairs

FOLDER = Path(__file__).parent / "fact_pairs"
LANGUAGES = ("en", "de", "zh", "ja")
HINTS = {"!": "against", "=": "like", ".": None}


class Pair(NamedTuple):
    """Two facts, what holds of them (``!``, ``=`` or ``.``), and of which kind they are."""

    label: str
    kind: str
    one: str
    other: str


@dataclass
class Count:
    """What one hint said of one language's pairs."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / said if (said := self.right + self.wrong) else 1.0

    @property
    def recall(self) -> float:
        return self.right / there if (there := self.right + self.missed) else 1.0


def labelled(language: str) -> list[Pair]:
    """The pairs of one language."""
    return [
        Pair(line[0], *(part.strip() for part in line[1:].split("|")))
        for line in _lines(language)
        if line[0] != "+"
    ]


def life(language: str) -> list[str]:
    """Facts of one person, which all hold."""
    return [line[1:].strip() for line in _lines(language) if line[0] == "+"]


def _lines(language: str) -> list[str]:
    return (FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines()


def counted(language: str, hint: str) -> Count:
    """How ``against`` or ``like`` fares on a language's pairs and on its life, both ways round."""
    count = Count()
    for label, kind, one, other in labelled(language):
        said = {hint_of(one, other), hint_of(other, one)}
        if hint in said and HINTS[label] == hint:
            count.right += 1
        elif hint in said:
            count.wrong += 1
            count.errors.append(f"{kind}: {one} | {other}")
        elif HINTS[label] == hint:
            count.missed += 1
    facts = [Fact("life", text, "", "user") for text in life(language)]
    for one_fact, other_fact, said_of_life in pairs(facts):
        if said_of_life == hint:
            count.wrong += 1
            count.errors.append(f"life: {one_fact.text} | {other_fact.text}")
    return count


def hint_of(one: str, other: str) -> str | None:
    """What is shown beside two facts."""
    return "against" if is_contrary(one, other) else "like" if is_alike(one, other) else None


def main() -> None:
    """Print precision and recall by language, what was wrong, and recall by kind."""
    for hint, label in (("against", "!"), ("like", "=")):
        total = Count()
        for language in LANGUAGES:
            count = counted(language, hint)
            total.right += count.right
            total.wrong += count.wrong
            total.missed += count.missed
            _row(f"{hint} {language}", count)
            for error in count.errors:
                print(f"    wrong: {error}")
        _row(f"{hint} all", total)
        there, found = Counter[str](), Counter[str]()
        for language in LANGUAGES:
            for pair in labelled(language):
                if pair.label == label:
                    there[pair.kind] += 1
                    found[pair.kind] += hint_of(pair.one, pair.other) == hint
        print("    " + ", ".join(f"{kind} {found[kind]}/{n}" for kind, n in there.items()))


def _row(name: str, count: Count) -> None:
    print(
        f"{name:12} precision {count.precision:.2f} recall {count.recall:.2f}"
        f" ({count.right} right, {count.wrong} wrong, {count.missed} missed)"
    )


if __name__ == "__main__":
    main()
