"""Compounds: words made of others and written as one, as in German and its neighbours.

No dictionary is at hand. A word that is asked for is looked for at the beginning and at the end of
longer ones; and a long one that is asked for is taken apart where a part of it was ever said.
"""

from __future__ import annotations

from collections.abc import Sequence

from perdure.recall.language.languages import folded, stem
from perdure.recall.store import Store

COMPOUND_WEIGHT = 0.8
"""The weight of a word inside a compound, and of a part of a compound that is asked for."""
_SHORTEST = 4
"""Letters of a part."""
_LINKS = ("es", "en", "er", "s", "n", "e", "")
"""What may come between two parts."""
_BEGINNINGS = """
ab aber alle an auf aus auss be bei dar des durch ein ent er fort ge gegen her hin inter
irr los miss mit nach ober onder open over rand tegen trotz uber um un unter ver vor weg
wider wieder zer zu zuruck zusammen
"""
_PREFIXES = frozenset(_BEGINNINGS.split())
"""Beginnings that are not words: *vergessen* is not a kind of *essen*."""


def compounds_with(store: Store, word: str, own: Sequence[str], language: str) -> list[str]:
    """Longer words of the index that begin or end with a form of a word."""
    root = stem(language, word)
    if len(root) < _SHORTEST:
        return []
    known = set(own)
    ends = {token for token in own if len(token) >= _SHORTEST} | {root}
    found: dict[str, None] = {}
    for end in sorted(ends):
        for token in store.ending_with(end):
            if _is_part(token[: -len(end)]):
                found[token] = None
    for token in store.beginning_with(root):
        # The rest has to be long enough to be a word, whatever links it.
        if len(token) - len(root) >= _SHORTEST + 1:
            found[token] = None
    return [token for token in found if token not in known]


def _is_part(rest: str) -> bool:
    if len(rest) < 3 or rest in _PREFIXES:
        return False
    return any(letter in "aeiouyäöüåæø" for letter in rest)


def compound_parts(store: Store, word: str, language: str) -> list[tuple[str, ...]]:
    """For each part of a word, the words of the index that are forms of it."""
    if len(word) < 2 * _SHORTEST:
        return []
    found: dict[tuple[str, ...], None] = {}
    for cut in range(_SHORTEST, len(word) - _SHORTEST + 1):
        for part in (*_without_link(word[:cut]), word[cut:]):
            root = stem(language, part)
            tokens = tuple(store.tokens(language, root)) if len(root) >= _SHORTEST else ()
            # A part may be a stem itself: Miet- in Mieterhöhung.
            tokens = tokens or tuple(store.tokens(language, folded(part)))
            if tokens:
                found[tokens] = None
    return list(found)


def _without_link(part: str) -> list[str]:
    return [
        part[: len(part) - len(link)]
        for link in _LINKS
        if part.endswith(link) and len(part) - len(link) >= _SHORTEST
    ]
