"""Which facts a prompt may have, and which comes first."""

from __future__ import annotations

from collections.abc import Iterable

from perdure.companion.memory.facts import IMPORT, TRUSTS, Fact, parse_line
from perdure.memory.injection import instruction_shaped


class ExcludedFacts:
    """The lines that ``memory/aside/`` names under ``facts``.

    A line may be the fact's words alone, or with its source and marks: the source counts where it
    is given, the marks never do, since they may change.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        named = [fact for line in lines if (fact := parse_line(line)) is not None]
        self._texts = {fact.text for fact in named if not fact.source}
        self._sourced = {(fact.text, fact.source) for fact in named if fact.source}

    def __contains__(self, fact: object) -> bool:
        return isinstance(fact, Fact) and (
            fact.text in self._texts or (fact.text, fact.source) in self._sourced
        )


def in_order(facts: Iterable[Fact], aside: Iterable[str] = ()) -> tuple[Fact, ...]:
    """The facts that a prompt may have, best first.

    Pinned ones before all others, then those of more trust, then those of newer turns; among the
    rest of one file the later line, since new ones are written at its end. What a topic has twice
    is listed once. A pure function of the tree, so that a count names the first so many of them.

    Args:
        facts: as `perdure.companion.memory.facts.read_facts` reads them.
        aside: lines under ``facts`` of the files in ``memory/aside/``.
    """
    out = ExcludedFacts(aside)
    ordered = sorted(facts, key=lambda fact: (fact.path, -fact.line))
    ordered.sort(key=_when, reverse=True)
    ordered.sort(key=lambda fact: (not fact.pinned, TRUSTS.index(fact.trust)))
    found: dict[tuple[str, str], Fact] = {}
    for fact in ordered:
        if fact not in out and not is_held(fact):
            found.setdefault((fact.topic, fact.text), fact)
    return tuple(found.values())


def _when(fact: Fact) -> tuple[str, int]:
    """When a fact was learned: its conversation's minute and its turn; first of all without a turn.

    Ids of conversations from the same minute differ only by chance, so they do not order them.
    """
    if not fact.source or fact.source.startswith(IMPORT):
        return "", 0
    minute, _, number = fact.source.rpartition("/")
    return minute[:15], int(number.partition("~")[0])


def is_held(fact: Fact) -> bool:
    """Whether a fact waits for the user: an imported one that reads as an instruction."""
    return fact.trust == "imported" and not fact.reviewed and instruction_shaped(fact.text)
