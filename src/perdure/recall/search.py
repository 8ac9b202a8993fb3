"""Find the turns that answer a question."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING

from perdure.companion.calendar import DaySpan
from perdure.companion.ids import TurnId
from perdure.recall import compounds, spelling
from perdure.recall.api import RecallQuery
from perdure.recall.language.irregular import forms
from perdure.recall.language.languages import (
    LANGUAGES,
    USUAL,
    folded,
    history_languages,
    stem,
)
from perdure.recall.language.time import Time, times_in
from perdure.recall.language.words import (
    all_words,
    content_words,
    is_cjk,
    single_characters,
    tokens_of,
    words_of,
)
from perdure.recall.scoring import COMMON, MOST, Scores, Term, places_in
from perdure.recall.sequence import MessageSequence
from perdure.recall.speaker_names import without_address, without_names
from perdure.recall.store import Store

if TYPE_CHECKING:
    from perdure.recall.embedders.dense import Vectors

NEAR, NEARER = 0.7, 0.9
"""Share of a score from which on a later turn goes before an earlier one with the same words: where
these are most of the question, and where they are less."""
FEW = 5
"""Turns with the same words up to which they may be one statement and what became of it."""
BEFORE_WEIGHTS = (0.3, 0.15)
"""What words of the message before count, and of the one before that, if the newest says little."""
LITTLE = 3
"""A message of fewer words than this says little by itself."""
_ENGLISH = "it that this he him his she her they them their there one those these"
_GERMAN = "er sie es das ihm ihr"
_POINTERS = frozenset(f"{_ENGLISH} {_GERMAN}".split())
PRIOR = 0.3
"""What the best score of a conversation adds to every message of it."""
TOLD = 20
"""Messages of which the language is known, from which on a script has no other language."""
_LEAST = 30
"""Turns that are compared with each other, however few are wanted."""
_FEW_ROWS = 64
"""Rows of a word from which on one of them is taken to be of the tree that is asked of."""
_FIRST = 400
"""Messages that are looked at, best first, before all the others."""


@dataclass(frozen=True, slots=True)
class ScoredTurn:
    """A turn that fits, and how well.

    Attributes:
        place: of its best message.
        checksum: one of that message; 0 where it has no word of the question itself.
    """

    turn: TurnId
    score: float
    path: str
    matched: tuple[str, ...]
    place: int
    checksum: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A word of a question, as it is looked up.

    Attributes:
        word: as the question has it.
        weight: what it counts.
        tokens: words of the index.
        whole: whether it is a word of the question, and not a character of one.
    """

    word: str
    weight: float
    tokens: tuple[str, ...]
    whole: bool = True


class Finder:
    """Answers one question about one tree."""

    def __init__(
        self,
        store: Store,
        messages: MessageSequence,
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
        self._gains: dict[str, float] = {}
        self._speakers = {
            number: name for number, name in store.speakers().items() if number in messages.speakers
        }
        self._names = (*self._speakers.values(), *query.hers)
        self._text = without_address(query.text, self._names)
        self._languages = languages_of(messages)

    def best(self, limit: int) -> list[ScoredTurn]:
        """The turns that fit best, best first."""
        vectors, like = self._vectors, None
        if vectors is not None:
            text = without_names(self._text, self._names)
            like = vectors.likeness(self._messages, text)
        scores = self._scores(like.places if like is not None else ())
        if like is not None:
            scores = like.fuse(scores)
        scores = self._with_sessions(scores)
        found = self._turns(scores, max(3 * limit, _LEAST))
        return _repeated_last(self._newest_first(found))[:limit]

    # Scores

    def _scores(self, also: Sequence[int]) -> dict[int, float]:
        messages, query = self._messages, self._query
        now = query.now.replace(tzinfo=None) if query.now else None
        spoken = times_in(self._text, now)
        runs = [run for time in spoken.times for run in places_in(messages, time)]
        # Nothing was said then: it is a time that somebody spoke of.
        said = spoken.words if runs else " ".join([self._text, *map(_written, spoken.times)])
        words = self._with_before(content_words(said, self._languages))
        if not words and not spoken.times:
            words = all_words(spoken.words)
        terms = self._terms(words)
        named = content_words(spoken.named, self._languages)
        is_time_alone = bool(runs) and all(term.word in named for term in terms)
        if is_time_alone and all(isinstance(time, DaySpan) for time in spoken.times):
            terms = [term for term in (_within(runs, term) for term in terms) if term.places]
        scores = Scores(messages, also)
        scores.add_terms(terms)
        self._asked = terms
        for term in terms:
            if term.whole:
                known = self._gains.get(term.word, 0.0)
                self._gains[term.word] = max(known, scores.gain(term))
        for run in runs:
            scores.add_mark(run, weight=1.0, everywhere=is_time_alone)
        self._add_speakers(scores, words_of(self._text))
        return scores.by_place

    def _with_sessions(self, scores: dict[int, float]) -> dict[int, float]:
        """Let a message fit a little better where others of its conversation fit too."""
        said_in = self._messages.conversation
        best: dict[int, float] = {}
        for place, score in scores.items():
            here = said_in[place]
            if score > best.get(here, 0.0):
                best[here] = score
        return {
            place: score + PRIOR * best.get(said_in[place], 0.0) for place, score in scores.items()
        }

    def _with_before(self, words: dict[str, float]) -> dict[str, float]:
        """The words of the newest message, and of those before where it leans on them."""
        leans = len(words) < LITTLE or _POINTERS & set(words_of(self._text))
        if not leans:
            return words
        merged = dict(words)
        for text, weight in zip(reversed(self._query.before), BEFORE_WEIGHTS, strict=False):
            for word, own in content_words(text, self._languages).items():
                merged.setdefault(word, own * weight)
        return merged

    def _terms(self, words: dict[str, float]) -> list[Term]:
        """Where the words are: the rarest first, the most common left out.

        What counts is how many messages of this tree have a word. Counting those of the whole index
        is quicker, and enough where it holds nothing else.
        """
        enough = COMMON + self._gone + 1
        asked: list[tuple[int, _Asked]] = []
        common: list[_Asked] = []
        for each in self._forms(words):
            rows = sum(self._store.count(token, enough) for token in each.tokens)
            if rows >= enough:
                common.append(each)
            elif rows:
                asked.append((rows, each))
        asked.sort(key=lambda row: (row[0], row[1].word))
        found: list[Term] = []
        read = 0
        for rows, each in asked:
            if not self._gone and found and read + rows > MOST:
                break
            term = Term(each.word, each.weight, self._places(each.tokens), whole=each.whole)
            read += rows
            if len(term.places) > COMMON:
                common.append(each)
            elif term.places:
                found.append(term)
        if not found:
            terms = [Term(each.word, each.weight, self._places(each.tokens)) for each in common]
            found = [term for term in terms if term.places]
        return _rarest(found)

    def _forms(self, words: dict[str, float]) -> list[_Asked]:
        """What to look up for each word: its forms, its compounds, its parts."""
        store, found = self._store, []
        compounding = [each for each in self._languages if LANGUAGES[each].compounds]
        for word, weight in words.items():
            own = tokens_for(store, word, self._languages)
            found.append(_Asked(word, weight, own))
            if self._is_unknown(own):
                found.append(
                    _Asked(word, weight * spelling.SLIP_WEIGHT, spelling.nearest_words(store, word))
                )
            for language in compounding:
                more = compounds.compounds_with(store, word, own, language)
                pieces = [tuple(more)] if more else []
                pieces += compounds.compound_parts(store, word, language)
                less = weight * compounds.COMPOUND_WEIGHT
                found += [_Asked(word, less, piece) for piece in pieces if piece != own]
        singles = single_characters(words)
        found += [_Asked(each, 1.0, (each,), whole=False) for each in singles]
        return list({(each.word, each.tokens): each for each in found}.values())

    def _is_unknown(self, tokens: Sequence[str]) -> bool:
        """Whether no message of this tree has any of some words."""
        rows = sum(self._store.count(token, _FEW_ROWS) for token in tokens)
        return rows == 0 or (rows < _FEW_ROWS and not self._places(tokens))

    def _places(self, stems: Sequence[str]) -> dict[int, int]:
        """How often one of the stems is in each message of this tree."""
        place = self._messages.place_of
        # Another process may add rows while this one reads: they are none of this tree's.
        last = len(place)
        rows = (row for stem in stems for row in self._store.rows(stem))
        counts = Counter(place[row] for row in rows if row < last)
        counts.pop(-1, None)
        return counts

    def _add_speakers(self, scores: Scores, words: Iterable[str]) -> None:
        """Let a named speaker's own messages fit a little better."""
        asked = set(words)
        hers = {word for name in self._query.hers for word in words_of(name)}
        asked |= hers if asked & hers else set()
        named = {number for number, name in self._speakers.items() if asked & set(words_of(name))}
        if not named:
            return
        speaker = self._messages.speaker
        places = [place for place in scores.by_place if speaker[place] in named]
        scores.add_speaker(places)

    # Turns

    def _turns(self, scores: dict[int, float], wanted: int) -> list[ScoredTurn]:
        """The best turns, each by its best message; equal ones by time, then by id.

        So many that do not say the very same, and with them those that do.
        """
        messages = self._messages
        for most in (_FIRST, len(scores)):
            ranked = heapq.nlargest(most, scores.items(), key=itemgetter(1))
            found: dict[tuple[int, int], ScoredTurn] = {}
            again: dict[tuple[int, int], ScoredTurn] = {}
            said: set[int] = set()
            for place, score in ranked:
                key = (messages.conversation[place], messages.turn[place])
                if key in found or key in again or not self._wanted(place):
                    continue
                turn = messages.turn_at(place)
                if self._query.without(turn):
                    continue
                has_word = any(place in term.places for term in self._asked)
                checksum = messages.said[place] if has_word else 0
                path, matched = messages.path_at(place), self._matched(place)
                (again if checksum in said else found)[key] = ScoredTurn(
                    turn, round(score, 4), path, matched, place, checksum
                )
                if checksum:
                    said.add(checksum)
                if len(found) >= wanted:
                    break
            if len(found) >= wanted or len(ranked) == len(scores):
                break
        rows = sorted((found | again).values(), key=lambda each: each.turn)
        rows.sort(key=lambda each: (-each.score, -messages.wall[each.place]))
        return rows

    def _newest_first(self, found: list[ScoredTurn]) -> list[ScoredTurn]:
        """Put the newest first where a few turns say the same words about equally well.

        Of "I live in Leeds" and, months later, "I live in Bristol", the second is true. They change
        places among themselves, and nothing else moves. What many turns share with a question is a
        word, not a statement. Where the words are most of what is asked, "equally well" means less.
        """
        wall = self._messages.wall
        ordered = list(found)
        places = {each.turn: place for place, each in enumerate(found)}
        seen: set[tuple[str, ...]] = set()
        for best in found:
            if not best.matched or best.matched in seen:
                continue
            seen.add(best.matched)
            least = best.score * (NEAR if self._is_most(best.matched) else NEARER)
            same = [each for each in found if each.matched == best.matched and each.score >= least]
            if len(same) <= FEW:
                newest = sorted(same, key=lambda each: -wall[each.place])
                for old, each in zip(same, newest, strict=True):
                    ordered[places[old.turn]] = each
        return ordered

    def _is_most(self, words: Sequence[str]) -> bool:
        """Whether these words are half or more of what the question says."""
        gains = self._gains
        return 2 * sum(gains.get(word, 0.0) for word in words) >= sum(gains.values())

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
        """The words of the question that the turn itself says."""
        turn = self._messages.turn_places(place)
        said = [term for term in self._asked if any(each in term.places for each in turn)]
        whole = {term.word for term in said if term.whole}
        return tuple(sorted(whole or {term.word for term in said}))


def _written(time: Time) -> str:
    """A day in figures; "" for a longer time."""
    is_day = isinstance(time, DaySpan) and time.end - time.begin == timedelta(days=1)
    return time.begin.isoformat() if isinstance(time, DaySpan) and is_day else ""


def _within(runs: Sequence[range], term: Term) -> Term:
    """Let the name of a time count as a word of what was said in that time only.

    "Last summer", and no more, asks for what was said then, and not for another year's summer.
    """
    inside = [place for place in term.places if any(place in run for run in runs)]
    return replace(term, places={place: term.places[place] for place in inside})


def _rarest(terms: list[Term]) -> list[Term]:
    """The rarest terms, as many as one question reads, and at least one."""
    terms.sort(key=lambda term: (sum(term.places.values()), term.word))
    kept: list[Term] = []
    read = 0
    for term in terms:
        read += sum(term.places.values())
        if kept and read > MOST:
            break
        kept.append(term)
    return kept


def _repeated_last(found: Iterable[ScoredTurn]) -> list[ScoredTurn]:
    """Put repetitions of the same words behind everything else."""
    first: list[ScoredTurn] = []
    again: list[ScoredTurn] = []
    said: set[int] = set()
    for each in found:
        (again if each.checksum in said else first).append(each)
        if each.checksum:
            said.add(each.checksum)
    return [*first, *again]


def languages_of(messages: MessageSequence) -> tuple[str, ...]:
    """The languages that a question may be in, the likeliest first."""
    found = history_languages(messages.languages)
    known = sum(count for number, count in messages.languages.items() if number)
    scripts = {LANGUAGES[name].script for name in found} if known >= TOLD else set()
    found += [name for script, name in USUAL.items() if script not in scripts]
    return tuple(dict.fromkeys(found))


def tokens_for(store: Store, word: str, languages: Sequence[str]) -> tuple[str, ...]:
    """The words of the index that are forms of a word, in some languages."""
    if is_cjk(word):
        return (word,)
    found = dict.fromkeys([folded(word)])
    for language in languages:
        for form in forms(word, language):
            found[folded(form)] = None
            root = stem(language, form)
            if root:
                found.update(dict.fromkeys(store.tokens(language, root)))
    return tuple(found)


def marks(
    store: Store, text: str, matched: Sequence[str], languages: Sequence[str]
) -> list[tuple[int, int]]:
    """Where words of a question are in a text, in any of their forms."""
    import re

    tokens = {token for word in matched for token in tokens_for(store, word, languages)}
    pairs = [word for word in matched if is_cjk(word)]
    found = [
        word.span()
        for word in re.finditer(r"[^\W_]+", text)
        if not is_cjk(word[0]) and not tokens.isdisjoint(tokens_of(words_of(word[0])))
    ]
    for pair in pairs:
        found += [at.span() for at in re.finditer(re.escape(pair), text)]
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(found):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
