"""Find misspelt words: words that nobody said, close to words that somebody did."""

from __future__ import annotations

from perdure.recall.language.languages import folded
from perdure.recall.language.stopwords import STOP
from perdure.recall.language.words import is_cjk
from perdure.recall.store import Store

SLIP_WEIGHT = 0.5
"""The weight of a word in a spelling that is not its own."""
_SHORTEST = 6
"""Letters of a word that may be a slip: shorter ones are too often a different name."""
_LONG = 8
"""Letters from which on two slips are one word."""
_GRAMMAR = frozenset[str]().union(*STOP.values())
_BEGINS = 2
"""Letters at the beginning that are assumed to be right."""


def nearest_words(store: Store, word: str) -> tuple[str, ...]:
    """The words of the index that are nearest to a word."""
    if len(word) < _SHORTEST or not word.isalpha() or is_cjk(word):
        return ()
    plain = folded(word)
    most = 2 if len(plain) >= _LONG else 1
    best: dict[int, set[str]] = {}
    for other in store.words_beginning_with(word[:1]):
        if abs(len(other) - len(plain)) > most or other in _GRAMMAR:
            continue
        token = folded(other)
        if token[:_BEGINS] == plain[:_BEGINS]:
            best.setdefault(slips(plain, token, most), set()).add(token)
    least = min(best, default=most + 1)
    return tuple(sorted(best[least])) if 0 < least <= most else ()


def slips(one: str, other: str, most: int) -> int:
    """How many letters are left out, added, changed or swapped from one word to another.

    Optimal string alignment; ``most + 1`` for more than ``most``.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        next_ = [place]
        for at, there in enumerate(other, 1):
            cost = min(row[at] + 1, next_[at - 1] + 1, row[at - 1] + (letter != there))
            if at > 1 and place > 1 and letter == other[at - 2] and one[place - 2] == there:
                cost = min(cost, before[at - 2] + 1)
            next_.append(cost)
        if min(next_) > most:
            return most + 1
        before, row = row, next_
    return min(row[-1], most + 1)
