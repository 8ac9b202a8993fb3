"""From a question to the turns that answer it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING

from perdure.companion.ids import TurnId
from perdure.memory.recall.api import RecallQuery
from perdure.memory.recall.arrangement import Arrangement
from perdure.memory.recall.irregular import forms
from perdure.memory.recall.scoring import COMMON, MOST, Scores, Term, places_in
from perdure.memory.recall.store import Store
from perdure.memory.recall.when import Stretch, times_in
from perdure.memory.recall.words import all_words, content_words, is_cjk, words_of

if TYPE_CHECKING:
    from perdure.memory.recall.dense import Vectors

NEAR = 0.7
"""Share of a score from which on a later turn goes before an earlier one with the same words."""
BEFORE_WEIGHTS = (0.3, 0.15)
"""What words of the message before count, and of the one before that, if the newest says little."""
LITTLE = 3
"""A message of fewer words than this says little by itself."""
_ENGLISH = "it that this he him his she her they them their there one those these"
_GERMAN = "er sie es das ihm ihr"
_POINTERS = frozenset(f"{_ENGLISH} {_GERMAN}".split())
_FIRST = 400
"""Messages that are looked at, best first, before all the others."""


@dataclass(frozen=True, slots=True)
class Found:
    """A turn that fits.

    Attributes:
        place: of its best message.
    """

    turn: TurnId
    score: float
    path: str
    matched: tuple[str, ...]
    place: int


class Finder:
    """Answers one question about one tree."""

    def __init__(
        self,
        store: Store,
        messages: Arrangement,
        query: RecallQuery,
        vectors: Vectors | None = None,
    ) -> None:
        self._vectors = vectors
        self._store = store
        self._messages = messages
        self._query = query
        self._gone = store.last_row() - len(messages)
        messages.make_room(store.last_row())
        self._asked: list[Term] = []

    def best(self, limit: int) -> list[Found]:
        """The turns that fit best, best first."""
        vectors = self._vectors
        like = vectors.likeness(self._messages, self._query.text) if vectors is not None else None
        scores = self._scores(like.places if like is not None else ())
        if like is not None:
            scores = like.fuse(scores)
        found = self._turns(scores, 3 * limit)
        return _newest_of_the_same(found, self._messages)[:limit]

    # Scores

    def _scores(self, also: Sequence[int]) -> dict[int, float]:
        messages, query = self._messages, self._query
        now = query.now.replace(tzinfo=None) if query.now else None
        spoken = times_in(query.text, now)
        words = self._with_before(content_words(spoken.words))
        if not words and not spoken.times:
            words = all_words(spoken.words)
        terms = self._terms(words)
        runs = [run for time in spoken.times for run in places_in(messages, time)]
        named = content_words(spoken.named)
        is_time_alone = bool(runs) and all(term.word in named for term in terms)
        if is_time_alone and all(isinstance(time, Stretch) for time in spoken.times):
            terms = [term for term in (_within(runs, term) for term in terms) if term.places]
        scores = Scores(messages, also)
        scores.add_terms(terms)
        self._asked = terms
        for run in runs:
            scores.add_mark(run, weight=1.0, everywhere=is_time_alone)
        self._add_speakers(scores, words_of(query.text))
        return scores.by_place

    def _with_before(self, words: dict[str, float]) -> dict[str, float]:
        """Words of the newest message, and of those before it where it leans on them."""
        leans = len(words) < LITTLE or _POINTERS & set(words_of(self._query.text))
        if not leans:
            return words
        merged = dict(words)
        for text, weight in zip(reversed(self._query.before), BEFORE_WEIGHTS, strict=False):
            for word, own in content_words(text).items():
                merged.setdefault(word, own * weight)
        return merged

    def _terms(self, words: dict[str, float]) -> list[Term]:
        """Where the words stand: the rarest first, the commonest not at all.

        What counts is how many messages of this tree have a word. Counting those of the whole index
        is quicker, and enough where it holds nothing else.
        """
        enough = COMMON + self._gone + 1
        asked: list[tuple[int, str, tuple[str, ...]]] = []
        common: list[tuple[int, str, tuple[str, ...]]] = []
        for word, stems in self._stems(words):
            rows = sum(self._store.count(stem, enough) for stem in stems)
            (common if rows >= enough else asked).append((rows, word, stems))
        asked.sort()
        found: list[Term] = []
        read = 0
        for rows, word, stems in asked:
            if not self._gone and found and read + rows > MOST:
                break
            term = Term(word, words[word], self._places(stems))
            read += rows
            if len(term.places) > COMMON:
                common.append((rows, word, stems))
            elif term.places:
                found.append(term)
        if not found:
            found = [Term(word, words[word], self._places(stems)) for _, word, stems in common]
            found = [term for term in found if term.places]
        return _rarest(found)

    def _stems(self, words: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
        """The index's terms for each word; a single character stands for all that begin with it."""
        variants = [(word, form) for word in words for form in forms(word)]
        stems: dict[str, dict[str, None]] = {}
        pieces = self._store.stems([form for _, form in variants])
        for (word, _), found in zip(variants, pieces, strict=True):
            single = len(word) == 1 and is_cjk(word)
            terms = self._store.beginning_with(word) if single else found
            stems.setdefault(word, {}).update(dict.fromkeys(terms))
        return [(word, tuple(found)) for word, found in stems.items()]

    def _places(self, stems: Sequence[str]) -> dict[int, int]:
        """How often one of the stems stands in each message of this tree that has it."""
        place = self._messages.place_of
        # Another process may add rows while this one reads: they are none of this tree's.
        last = len(place)
        rows = (row for stem in stems for row in self._store.rows(stem))
        counts = Counter(place[row] for row in rows if row < last)
        counts.pop(-1, None)
        return counts

    def _add_speakers(self, scores: Scores, words: Iterable[str]) -> None:
        """A named speaker's own messages fit a little better."""
        asked = set(words)
        named = {
            number for number, name in self._store.speakers().items() if asked & set(words_of(name))
        }
        if not named:
            return
        speaker = self._messages.speaker
        places = [place for place in scores.by_place if speaker[place] in named]
        scores.add_speaker(places)

    # Turns

    def _turns(self, scores: dict[int, float], wanted: int) -> list[Found]:
        """The best turns, each by its best message; equal ones by time, then by id."""
        messages = self._messages
        for most in (_FIRST, len(scores)):
            ranked = heapq.nlargest(most, scores.items(), key=itemgetter(1))
            found: dict[tuple[int, int], Found] = {}
            for place, score in ranked:
                key = (messages.talk[place], messages.turn[place])
                if key in found or not self._wanted(place):
                    continue
                turn = messages.turn_at(place)
                if self._query.without(turn):
                    continue
                found[key] = Found(
                    turn, round(score, 4), messages.path_at(place), self._matched(place), place
                )
                if len(found) >= wanted:
                    break
            if len(found) >= wanted or len(ranked) == len(scores):
                break
        rows = sorted(found.values(), key=lambda each: each.turn)
        rows.sort(key=lambda each: (-each.score, -messages.wall[each.place]))
        return rows

    def _wanted(self, place: int) -> bool:
        since, until = self._query.since, self._query.until
        if since is None and until is None:
            return True
        moment = self._messages.moment[place]
        if not moment:
            return False
        at = datetime.fromtimestamp(moment, UTC)
        return (since is None or at >= since) and (until is None or at < until)

    def _matched(self, place: int) -> tuple[str, ...]:
        """Words of the question that the turn says itself."""
        turn = self._messages.turn_places(place)
        words = [term.word for term in self._asked if any(each in term.places for each in turn)]
        return tuple(sorted(words))


def _within(runs: Sequence[range], term: Term) -> Term:
    """The name of a time as a word of what was said in that time, and of nothing else.

    "Last summer", and no more, asks for what was said then, and not for another year's summer.
    """
    inside = [place for place in term.places if any(place in run for run in runs)]
    return replace(term, places={place: term.places[place] for place in inside})


def _rarest(terms: list[Term]) -> list[Term]:
    """As many of the terms as are read for one question, the rarest first, at least one."""
    terms.sort(key=lambda term: (sum(term.places.values()), term.word))
    kept: list[Term] = []
    read = 0
    for term in terms:
        read += sum(term.places.values())
        if kept and read > MOST:
            break
        kept.append(term)
    return kept


def _newest_of_the_same(found: list[Found], messages: Arrangement) -> list[Found]:
    """Where turns say the same words of the question about equally well, the newest goes first.

    Of "I live in Leeds" and, months later, "I live in Bristol", the second is true.
    """
    rest = list(found)
    ordered: list[Found] = []
    while rest:
        best = rest[0]
        same = [
            each
            for each in rest
            if each is best
            or (each.matched == best.matched != () and each.score >= NEAR * best.score)
        ]
        same.sort(key=lambda each: -messages.wall[each.place])
        ordered += same
        chosen = {id(each) for each in same}
        rest = [each for each in rest if id(each) not in chosen]
    return ordered


def marks(store: Store, text: str, matched: Sequence[str]) -> list[tuple[int, int]]:
    """Where in a text words of a question stand, in any of their forms."""
    import re

    all_forms = [form for word in matched for form in forms(word)]
    stems = {stem for pieces in store.stems(all_forms) for stem in pieces}
    pairs = [word for word in matched if is_cjk(word)]
    found: list[tuple[int, int]] = []
    words = list(re.finditer(r"[^\W_]+", text))
    for word, pieces in zip(words, store.stems([word[0] for word in words]), strict=True):
        if not is_cjk(word[0]) and stems & set(pieces):
            found.append(word.span())
    for pair in pairs:
        found += [at.span() for at in re.finditer(re.escape(pair), text)]
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(found):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
