"""BM25 over messages with their neighbours, from nothing but the tree's own messages.

A message is weighed as if it were a text of its own: itself, with less weight two messages before
it and one after it, and the time at which it was said. How often a word stands in such a text
follows from where it was said at all, so only bare messages are indexed. Counts and lengths are
those of the tree, so the same tree gives the same scores wherever they are computed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from perdure.companion.calendar import DaySpan
from perdure.recall.language.time import Season, Time
from perdure.recall.sequence import AFTER, AROUND, BEFORE, SELF, MessageSequence

K1, B = 1.2, 0.75
"""BM25's usual constants."""
COMMON = 6000
"""A word in more messages than this says little, and reading where it stands would take longer than
all others together."""
MOST = 8000
"""Places of words that are read for one question: the rarest words come first."""
SEEDS = 1500
"""Of these, places at which a message may come into question at all; in a life of some thousand
messages that is all of them."""
CHOSEN = 800
"""Messages that the commoner words are looked for in."""


@dataclass(slots=True)
class Term:
    """One word of a question.

    Attributes:
        word: as it is asked for.
        weight: what it counts.
        places: how often it stands in each message that has it, by place.
        whole: whether it is a word of the question, and not a character of one.
    """

    word: str
    weight: float
    places: dict[int, int]
    whole: bool = True


class Scores:
    """The scores of a tree's messages for one question, by place."""

    def __init__(self, messages: MessageSequence, also: Sequence[int] = ()) -> None:
        """``also``: messages that common words are looked for in, whatever the rare ones say."""
        self._messages = messages
        self._also = also
        total = len(messages)
        mean = messages.size / total if total else 1.0
        self._short = K1 * (1 - B)
        self._long = K1 * B / (mean or 1.0)
        self.by_place: dict[int, float] = {}

    def add_terms(self, terms: Sequence[Term]) -> None:
        """Add what each term says for the messages near it.

        Args:
            terms: the rarest first.
        """
        read = 0
        for number, term in enumerate(terms):
            read += len(term.places)
            if number and read > SEEDS:
                self._choose()
                for common in terms[number:]:
                    self._add_to_chosen(common)
                return
            self._add(term)

    def _add(self, term: Term) -> None:
        window, scores = self._messages.window, self.by_place
        short, long, gain = self._short, self._long, self.gain(term)
        for place, times in self._near(term.places).items():
            scores[place] = scores.get(place, 0.0) + gain * times / (
                times + short + long * window[place]
            )

    def _choose(self) -> None:
        """Keep the messages that the rare words speak for most."""
        scores = self.by_place
        if len(scores) > CHOSEN:
            least = heapq.nlargest(CHOSEN, scores.values())[-1]
            self.by_place = {place: score for place, score in scores.items() if score >= least}
        self.by_place |= {place: scores.get(place, 0.0) for place in self._also}

    def _add_to_chosen(self, term: Term) -> None:
        conversation, window = self._messages.conversation, self._messages.window
        has = term.places.get
        short, long, gain = self._short, self._long, self.gain(term)
        for place, score in self.by_place.items():
            times = SELF * has(place, 0)
            here = conversation[place]
            for step, weight in AROUND.items():
                said = has(place + step, 0)
                if said and conversation[place + step] == here:
                    times += weight * said
            if times:
                self.by_place[place] = score + gain * times / (times + short + long * window[place])

    def _near(self, places: Mapping[int, int]) -> dict[int, float]:
        """How often a word counts for each message, with its neighbours."""
        conversation = self._messages.conversation
        near = {place: SELF * times for place, times in places.items()}
        for place, times in places.items():
            here = conversation[place]
            for step, weight in AROUND.items():
                if conversation[place - step] == here:
                    near[place - step] = near.get(place - step, 0.0) + weight * times
        return near

    def gain(self, term: Term) -> float:
        """The most that a term can add: its weight times how rare it is.

        How many messages have it in their context is taken from how many have it themselves.
        """
        total = len(self._messages)
        near = total * (1 - (1 - len(term.places) / total) ** (1 + BEFORE + AFTER))
        return term.weight * _rarity(near, total) * (K1 + 1)

    def add_speaker(self, places: Sequence[int]) -> None:
        """Let a speaker's messages count a little more, as if by a word that half of all have."""
        for place in places:
            self.by_place[place] += math.log(2)

    def add_mark(self, places: range | Sequence[int], *, weight: float, everywhere: bool) -> None:
        """Add a word that the headers of these messages have: a date, a speaker.

        Args:
            places: the messages.
            weight: what it counts.
            everywhere: also for messages that no other word speaks for.
        """
        if not places:
            return
        total, count = len(self._messages), len(places)
        gain = weight * math.log(1 + (total - count + 0.5) / (count + 0.5)) * (K1 + 1)
        window, scores = self._messages.window, self.by_place
        chosen = places if everywhere else _both(places, scores)
        for place in chosen:
            scores[place] = scores.get(place, 0.0) + gain / (
                1 + self._short + self._long * window[place]
            )


def _rarity(count: float, total: int) -> float:
    """BM25's inverse document frequency.

    It is nothing for a word in every second message; a tenth of the form that never is nothing
    stays, which tells such words apart in a life that has just begun.
    """
    least = math.log(1 + (total - count + 0.5) / (count + 0.5)) / 10
    return max(least, math.log((total - count + 0.5) / (count + 0.5)))


def _both(places: range | Sequence[int], scores: dict[int, float]) -> list[int]:
    if isinstance(places, range):
        return [place for place in scores if place in places]
    return [place for place in places if place in scores]


def places_in(messages: MessageSequence, time: Time) -> list[range]:
    """The runs of places of messages from a time, by the clock where they were said."""
    if not len(messages):
        return []
    known = [wall for wall in (messages.wall[0], messages.wall[-1]) if wall]
    if not messages.in_order:
        known = [wall for wall in messages.wall if wall]
    if not known:
        return []
    first, last = (datetime.fromtimestamp(at, UTC).year for at in (min(known), max(known)))
    stretches = time.stretches(first, last) if isinstance(time, Season) else [time]
    return [run for stretch in stretches for run in _runs(messages, stretch)]


def _runs(messages: MessageSequence, stretch: DaySpan) -> list[range]:
    begin, end = _second(stretch.begin), _second(stretch.end)
    if messages.in_order:
        from bisect import bisect_left

        run = range(bisect_left(messages.wall, begin), bisect_left(messages.wall, end))
        return [run] if run else []
    return [
        range(place, place + 1) for place, wall in enumerate(messages.wall) if begin <= wall < end
    ]


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
