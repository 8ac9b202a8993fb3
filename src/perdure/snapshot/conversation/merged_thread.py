"""The thread that version 3 of the prompt reads: all lines that a conversation continues, by time.

A function of the tree alone. Versions 1 and 2 read `perdure.snapshot.conversation.thread`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from math import inf

from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Turn
from perdure.prompt import PastTurn
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.excluded import Excluded

MOST_TURNS = 300
"""Turns of a life that may be sent as a whole."""
_MOST_CHUNKS = 32
"""Files that are read to find out: as many as stay in memory from one turn to the next."""
LAST_NUMBER = 999_999_999
"""No turn of a conversation has a higher number."""
_Place = tuple[ConversationId, int]
"""A conversation, and the place of a turn among those of it that are reached."""


def merged_thread(
    transcript: Transcript,
    ends: Iterable[TurnId],
    *,
    most: int = 400,
    excluded: Excluded | None = None,
    keep: TurnId | None = None,
) -> list[PastTurn]:
    """The turns up to each of the ``ends``, oldest first, ``most`` of them at most.

    Lines are followed backwards through what their conversations go on from. Each turn stands once,
    behind every turn that leads to it; where several lines run side by side, by time. An end that
    is not here is passed over, and a loop of hand-written ones ends where it closes. Turns that are
    set aside are left out, but for ``keep``: what is to be answered, which stands last.
    """
    lines = _Lines(transcript, most)
    lines.read(ends)
    found = [
        past
        for past in reversed(lines.newest_first())
        if past.id == keep or excluded is None or past.id not in excluded
    ]
    return sorted(found, key=lambda past: past.id == keep)


def is_behind(transcript: Transcript, turn: TurnId, end: TurnId, most: int = 400) -> bool:
    """Whether a turn is on a line that leads to an ``end``, at most so many turns back."""
    lines = _Lines(transcript, most)
    lines.read((end,))
    reached = lines.turns.get(turn.conversation)
    return reached is not None and any(each.number == turn.number for each in reached)


def whole_history(
    transcript: Transcript, thread: Sequence[PastTurn], *, excluded: Excluded | None = None
) -> list[PastTurn]:
    """A thread, with all other earlier conversations before it, by time.

    Those are the conversations that begin before the one that the thread ends in. Empty where
    nothing is added, and where that is more than `MOST_TURNS`. The first turn is none of the
    thread's, so it tells which of the two a prompt was made from.
    """
    if not thread:
        return []
    earlier = transcript.conversations()
    place = next(
        (n for n, each in enumerate(earlier) if each.id == thread[-1].id.conversation), len(earlier)
    )
    if not place or sum(each.chunk_count for each in earlier[:place]) > _MOST_CHUNKS:
        return []
    ends = [TurnId(each.id, LAST_NUMBER) for each in earlier[:place]]
    told = merged_thread(transcript, ends, most=MOST_TURNS + 1, excluded=excluded)
    # What a conversation of the thread has beyond it was left behind, by a rewind into its middle.
    known = {past.id.conversation for past in thread}
    more = [past for past in told if past.id.conversation not in known]
    return [*more, *thread] if more and len(more) + len(thread) <= MOST_TURNS else []


def _said_at(turn: Turn) -> datetime | None:
    """When a turn began; another answer to it may be years younger."""
    if turn.message is not None and turn.message.at is not None:
        return turn.message.at
    return min((reply.at for reply in turn.replies if reply.at is not None), default=None)


@dataclass(slots=True)
class _Lines:
    """All that leads to some ends, at most ``most`` turns back on each line."""

    transcript: Transcript
    most: int
    turns: dict[ConversationId, list[Turn]] = field(default_factory=dict)
    """Of each conversation those up to the last one that is reached, oldest first."""
    ends: dict[ConversationId, tuple[TurnId, ...]] = field(default_factory=dict)
    """What each conversation goes on from."""
    starts: tuple[TurnId, ...] = ()

    def read(self, ends: Iterable[TurnId]) -> None:
        """Read the conversations of all lines, the nearest first."""
        self.starts = tuple(dict.fromkeys(ends))
        waiting: list[tuple[int, str, TurnId]] = []
        for end in self.starts:
            heappush(waiting, (0, str(end), end))
        seen: set[TurnId] = set()
        while waiting:
            behind, _, end = heappop(waiting)
            if end in seen:
                continue
            seen.add(end)
            here = self._up_to(end)
            if not here:
                continue
            known = self.turns.setdefault(end.conversation, here)
            if known[-1].number < here[-1].number:
                self.turns[end.conversation] = here
            behind += len(here)
            if behind < self.most:
                for further in self._ends(end.conversation):
                    heappush(waiting, (behind, str(further), further))

    def newest_first(self) -> list[PastTurn]:
        """The turns, each before all that lead to it; where several could come next, the newest."""
        later = self._later()
        free: list[tuple[float, str, int, _Place]] = []
        held: set[_Place] = set()
        found: list[PastTurn] = []

        def let(place: _Place, otherwise: float, *, next_one: bool = False) -> None:
            conversation, at = place
            said = _said_at(self.turns[conversation][at])
            when = said.timestamp() if said is not None else otherwise
            when = inf if next_one else when
            heappush(free, (-when, str(conversation), -at, place))

        done: set[_Place] = set()
        for place in self._places(self.starts):
            held.add(place)
            if not later[place]:
                let(place, 0.0)
        while len(found) < self.most and held:
            if not free:
                # A loop: nothing is free, so it is opened where it was come upon last.
                let(max(held, key=self._order), 0.0)
            when, _, _, place = heappop(free)
            if place in done:
                continue
            done.add(place)
            held.discard(place)
            conversation, at = place
            turn = self.turns[conversation][at]
            found.append(PastTurn(TurnId(conversation, turn.number), turn))
            for order, before in enumerate(self._before(place)):
                later[before] -= 1
                if before not in done:
                    held.add(before)
                    if later[before] <= 0:
                        # A reply that opens a conversation stands behind its message.
                        answered = turn.unasked and not order
                        let(before, -when, next_one=answered)
        return found

    def _order(self, place: _Place) -> tuple[float, str, int]:
        said = _said_at(self.turns[place[0]][place[1]])
        return said.timestamp() if said is not None else 0.0, str(place[0]), place[1]

    def _later(self) -> Counter[_Place]:
        """How many turns continue each turn directly."""
        later: Counter[_Place] = Counter()
        for conversation, turns in self.turns.items():
            later.update((conversation, at) for at in range(len(turns) - 1))
            later.update(self._places(self.ends.get(conversation, ())))
        return later

    def _before(self, place: _Place) -> list[_Place]:
        """The turns that a turn continues directly."""
        conversation, at = place
        if at:
            return [(conversation, at - 1)]
        return self._places(self.ends.get(conversation, ()))

    def _places(self, ends: Iterable[TurnId]) -> list[_Place]:
        """Where each turn is, as far as turns were reached."""
        found: dict[_Place, None] = {}
        for end in ends:
            numbers = [turn.number for turn in self.turns.get(end.conversation, ())]
            upto = [at for at, number in enumerate(numbers) if number <= end.number]
            if upto:
                found[end.conversation, upto[-1]] = None
        return list(found)

    def _ends(self, conversation: ConversationId) -> tuple[TurnId, ...]:
        known = self.ends.get(conversation)
        if known is None:
            place = self.transcript.find(conversation)
            head = self.transcript.head(place.first_chunk) if place is not None else None
            known = head.ends if head is not None else ()
            self.ends[conversation] = known
        return known

    def _up_to(self, end: TurnId) -> list[Turn]:
        """The turns of a conversation up to a given one, oldest first, ``most`` of them at most."""
        place = self.transcript.find(end.conversation)
        return self.transcript.turns_to(place, end.number, self.most) if place is not None else []
