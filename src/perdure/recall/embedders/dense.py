"""Meaning beside words: vectors of messages, and their scores put together with BM25.

Off unless an embedder is given. Vectors are in the index by message, so a text is embedded once. A
question is compared with all of them, and a message's likeness is that of its vector added up with
those around it, as its words are. Only the bare vectors are held, a byte a number: what a message
is like in context follows from what its neighbours are like and from the length of their sum.

Each score is brought to the range from 0 to 1 before the two are added: words from none of them to
the best of the question, meaning from what any message of this life is like (the mean) to the
nearest. A message without a vector counts as any message: it is found by its words as before.
Adding up ranks instead (reciprocal rank fusion) was measured to do worse than words alone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from perdure.recall.api import LONGEST
from perdure.recall.sequence import AFTER, BEFORE, SELF, MessageSequence

if TYPE_CHECKING:
    from perdure.recall.api import Embedder
    from perdure.recall.store import Store

CANDIDATES = 200
"""Messages that each of the two may name."""
_BLOCK = 1024
"""Messages whose bytes are turned into numbers at once: few enough to stay in a core's own cache,
and not to be worth several threads, which would wait for each other on a busy machine."""
_STEPS = (*range(-BEFORE, 0), *range(1, AFTER + 1))


class Vectors:
    """The vectors of a tree's messages, each with its neighbours."""

    def __init__(self, embedder: Embedder) -> None:
        import numpy as np

        self.embedder = embedder
        self._raw: Any = np.zeros((0, embedder.dimension), dtype=np.int8)
        self._scale: Any = np.zeros(0, dtype=np.float32)
        self._length: Any = np.zeros(0, dtype=np.float32)

    def arrange(self, store: Store, messages: MessageSequence, first: int) -> None:
        """Load the vectors of a tree's messages, as far as there are any.

        Args:
            store: where they are kept.
            messages: the messages.
            first: the first place that is not as it was at the last call.
        """
        import numpy as np

        total = len(messages)
        first = min(first, len(self._raw))
        for name in ("_raw", "_scale", "_length"):
            old = getattr(self, name)
            new = np.zeros((total, *old.shape[1:]), dtype=old.dtype)
            new[:first] = old[:first]
            setattr(self, name, new)
        self._fill(messages, store.vectors(self.embedder.name, messages.row[first:]))
        self._measure(messages, max(0, first - AFTER), total)

    def add(self, messages: MessageSequence, vectors: Sequence[tuple[int, bytes]]) -> None:
        """Add vectors that were just made, by row."""
        places = self._fill(messages, vectors)
        if places:
            last = min(len(messages), max(places) + BEFORE + 1)
            self._measure(messages, max(0, min(places) - AFTER), last)

    def _fill(self, messages: MessageSequence, vectors: Iterable[tuple[int, bytes]]) -> list[int]:
        import numpy as np

        places = []
        for row, data in vectors:
            place = messages.place_of[row] if row < len(messages.place_of) else -1
            if 0 <= place < len(self._raw) and len(data) == self.embedder.dimension:
                vector = np.frombuffer(data, dtype=np.int8)
                length = float(np.linalg.norm(vector.astype(np.float32)))
                self._raw[place] = vector
                self._scale[place] = 1 / length if length else 0.0
                places.append(place)
        return places

    def _measure(self, messages: MessageSequence, begin: int, end: int) -> None:
        """Measure the sums of vectors around the messages at some places."""
        import numpy as np

        conversation = _conversations(messages)
        for start in range(begin, end, _BLOCK):
            stop = min(end, start + _BLOCK)
            low, high = max(0, start - BEFORE), min(len(self._raw), stop + AFTER)
            unit = self._raw[low:high].astype(np.float32) * self._scale[low:high, None]
            self._length[start:stop] = np.linalg.norm(
                _in_context(unit, conversation[low:high])[start - low : stop - low], axis=1
            )

    def likeness(self, messages: MessageSequence, text: str) -> Likeness | None:
        """How like a question each message is; None where nothing can be said about it."""
        import numpy as np

        if not len(self._raw) or not text.strip():
            return None
        asked = np.asarray(self.embedder.ask(text[:LONGEST]), dtype=np.float32)
        bare = np.empty(len(self._raw), dtype=np.float32)
        block = np.empty((_BLOCK, self.embedder.dimension), dtype=np.float32)
        for start in range(0, len(bare), _BLOCK):
            part = bare[start : start + _BLOCK]
            block[: len(part)] = self._raw[start : start + _BLOCK]
            np.dot(block[: len(part)], asked, out=part)
        known = self._length > 0
        if not known.any() or not asked.any():
            return None
        bare *= self._scale
        like = _in_context(bare, _conversations(messages))
        like = np.divide(like, self._length, out=like, where=known)
        return Likeness(self.embedder, like, bare, known & (self._scale > 0))


class Likeness:
    """How like one question each message is, by place.

    Attributes:
        places: those that it speaks for most.
    """

    def __init__(self, embedder: Embedder, like: Any, bare: Any, known: Any) -> None:  # noqa: ANN401 - numpy's arrays
        import numpy as np

        self._embedder = embedder
        mean = float(like[known].mean())
        self._near = np.where(known, like - mean, 0.0).clip(min=0.0)
        self._range = float(self._near.max()) or 1.0
        spread = float(bare[known].std()) or 1.0
        apart = np.where(known, (bare - bare[known].mean()) / spread, 0.0)
        chance = math.sqrt(2 * math.log(max(2, int(known.sum()))))
        self._clear = (apart >= chance) & (like >= embedder.least)
        most = min(CANDIDATES, len(like))
        self.places: list[int] = np.argpartition(-self._near, most - 1)[:most].tolist()

    def fuse(self, scores: dict[int, float]) -> dict[int, float]:
        """Put both scores together, from 0 to 1, for messages that words or meaning name.

        Some message is always the nearest. Where no word of the question was said at all, only
        those are named that are nearer than the nearest of so many would be by chance.
        """
        best = max(scores.values(), default=0.0)
        share = self._embedder.share
        worded = heapq.nlargest(CANDIDATES, scores.items(), key=itemgetter(1))
        fused = {}
        for place in sorted({*self.places, *(place for place, _ in worded)}):
            if best > 0 or self._clear[place]:
                word = scores.get(place, 0.0) / (best or 1.0)
                near = float(self._near[place]) / self._range
                fused[place] = (1 - share) * word + share * near
        return fused


def _conversations(messages: MessageSequence) -> Any:  # noqa: ANN401 - numpy's array
    import numpy as np

    return np.array(messages.conversation[: len(messages)], dtype=np.int32)


def _in_context(values: Any, conversation: Any) -> Any:  # noqa: ANN401 - numpy's arrays
    """Each value twice, with those of the messages around it in its conversation."""
    total = SELF * values
    for step in _STEPS:
        if step < 0:
            here, there = slice(-step, None), slice(None, step)
        else:
            here, there = slice(None, -step), slice(step, None)
        same = conversation[here] == conversation[there]
        if values.ndim > 1:
            same = same[:, None]
        total[here] += values[there] * same
    return total
