"""The messages of a tree in the order in which they were said."""

from __future__ import annotations

import operator
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

from perdure.companion.ids import ConversationId, TurnId
from perdure.recall.store import WIDTH, StoredChunk

BEFORE, AFTER = 2, 1
"""A message counts with two before it and one after it."""
SELF = 3.0
"""What its own words count in that."""
AROUND = {-2: 0.5, -1: 1.0, 1: 0.7}
"""What those of the messages around it count, by how many places away they stand."""


_NONE = array("i", [-1, -1])
"""After the last message, and so before the first one: neighbours of no conversation."""


class MessageSequence:
    """The place of each message: 0 for the first ever said, conversation after conversation.

    Attributes:
        place_of: place by row, -1 for rows that are not in this tree.
        conversation: its number at each place, and some after the last that are none.
        turn, speaker, words, moment, wall, language, said: of the message at each place, as
            `perdure.recall.store.WIDTH` tells.
        window: words of a message as it is weighed, with those around it; `size` is their sum.
        in_order: whether nothing was said before what stands before it.
        languages: how many messages are of each language, by number.
        speakers: numbers of those who speak.
    """

    def __init__(self) -> None:
        self.place_of = array("i")
        self.row = array("I")
        self.conversation = array("i", _NONE)
        self._columns = [array("I") for _ in range(2, WIDTH)]
        self.turn, self.speaker, self.words, self.moment, *more = self._columns
        self.wall, self.language, self.said = more
        self.window: list[float] = []
        self.size = 0.0
        self.names: list[str] = []
        self.in_order = True
        self.languages: Counter[int] = Counter()
        self.speakers: frozenset[int] = frozenset()
        self._numbers: dict[str, int] = {}
        self._chunks: list[int] = []
        self._starts: list[int] = []
        self._paths: list[str] = []

    def __len__(self) -> int:
        return len(self.row)

    def arrange(self, ids: Sequence[int], load: Mapping[int, StoredChunk]) -> int:
        """Take these chunks in place of the old ones. Those that both begin with stay.

        Args:
            ids: chunks in the order of the conversations.
            load: them, at least those that are not the same as before.

        Returns:
            The first place that is another one now.
        """
        same = self.same_as(ids)
        self._cut(same)
        first = len(self.row)
        for number in ids[same:]:
            chunk = load.get(number)
            if chunk is not None:
                self._add(chunk)
        self._weigh(first)
        self.languages = Counter(self.language)
        self.speakers = frozenset(self.speaker)
        return first

    def same_as(self, ids: Sequence[int]) -> int:
        """How many chunks at the start are the same."""
        same = 0
        for mine, wanted in zip(self._chunks, ids, strict=False):
            if mine != wanted:
                break
            same += 1
        return same

    def _cut(self, chunks: int) -> None:
        if chunks >= len(self._chunks):
            return
        end = self._starts[chunks]
        for row in self.row[end:]:
            self.place_of[row] = -1
        for numbers in (self.row, *self._columns):
            del numbers[end:]
        del self.conversation[end : -len(_NONE)]
        self.size -= sum(self.window[end:])
        del self.window[end:]
        del self._chunks[chunks:], self._starts[chunks:], self._paths[chunks:]

    def _add(self, chunk: StoredChunk) -> None:
        data = chunk.rows
        start = len(self.row)
        self._chunks.append(chunk.id)
        self._starts.append(start)
        self._paths.append(chunk.path)
        rows = data[0::WIDTH]
        numbers = [self._number(name) for name in chunk.conversations]
        said_in = array("i", [numbers[place] for place in data[1::WIDTH]])
        self.row.extend(rows)
        self.conversation[-len(_NONE) :] = said_in + _NONE
        for place, column in enumerate(self._columns, 2):
            column.extend(data[place::WIDTH])
        self.make_room(max(rows, default=0))
        for place, row in enumerate(rows, start):
            self.place_of[row] = place

    def make_room(self, last: int) -> None:
        """Make room for every row up to one."""
        if last >= len(self.place_of):
            self.place_of.extend([-1] * (last + 1 - len(self.place_of)))

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def _weigh(self, first: int) -> None:
        """Count the words around each message, from a place on."""
        begin = max(0, first - AFTER)
        self.size -= sum(self.window[begin:])
        del self.window[begin:]
        words, conversation = self.words, self.conversation
        for place in range(begin, len(words)):
            here = conversation[place]
            size = SELF * words[place]
            if place > 0 and conversation[place - 1] == here:
                size += AROUND[-1] * words[place - 1]
                if place > 1 and conversation[place - 2] == here:
                    size += AROUND[-2] * words[place - 2]
            if conversation[place + 1] == here:
                size += AROUND[1] * words[place + 1]
            self.window.append(size)
        self.size += sum(self.window[begin:])
        # Where something was out of order before, it may be what was cut off.
        checked = max(0, first - 1) if self.in_order else 0
        after = islice(self.wall, checked + 1, None)
        self.in_order = all(map(operator.le, islice(self.wall, checked, None), after))

    def turn_at(self, place: int) -> TurnId:
        """The turn that the message at a place is of."""
        return TurnId(ConversationId(self.names[self.conversation[place]]), self.turn[place])

    def path_at(self, place: int) -> str:
        """The chunk that the message at a place stands in."""
        from bisect import bisect_right

        return self._paths[bisect_right(self._starts, place) - 1]

    def turn_places(self, place: int) -> range:
        """The places of all messages of the turn at a place."""
        turn = self._turn(place)
        begin = end = place
        while begin > 0 and self._turn(begin - 1) == turn:
            begin -= 1
        while end + 1 < len(self) and self._turn(end + 1) == turn:
            end += 1
        return range(begin, end + 1)

    def _turn(self, place: int) -> tuple[int, int]:
        return self.conversation[place], self.turn[place]
