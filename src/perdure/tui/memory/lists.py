"""The lists of the memory browser: which there are, which one is shown, what narrows them."""

from __future__ import annotations

from perdure.tui.memory.rows import REVIEW, MemoryRow, Topic, topics_of
from perdure.views.memory import MemoryView


class MemoryLists:
    """What was read of the memory, list by list."""

    def __init__(self) -> None:
        self.look: MemoryView | None = None
        self.topics: list[Topic] = []
        self.at = 0
        self._wanted: str | None = None

    @property
    def topic(self) -> Topic | None:
        """The list that is shown."""
        return self.topics[self.at] if self.at < len(self.topics) else None

    def row(self, at: int | None) -> MemoryRow | None:
        """A row of the list that is shown; None where there is none."""
        topic = self.topic
        if topic is None or at is None or at >= len(topic.rows):
            return None
        return topic.rows[at]

    def want(self, key: str) -> None:
        """Show the list of this key, once it was read again."""
        self._wanted = key

    def arrange(self, look: MemoryView, words: str) -> bool:
        """Take over what was read, narrowed to words; False where another list is shown by then.

        At first the list of what waits for the user is shown, or the first that is not empty.
        """
        self.look = look
        first, topic = not self.topics, self.topic
        before = topic.key if topic is not None else REVIEW
        key, self._wanted = self._wanted or before, None
        self.topics = topics_of(look, words)
        keys = [each.key for each in self.topics]
        self.at = keys.index(key) if key in keys else min(self.at, len(keys) - 1)
        if first and not self.topics[self.at].rows:
            self.at = self.first_filled(0)
        return self.topics[self.at].key == before

    def first_filled(self, otherwise: int) -> int:
        """The first list that has rows."""
        filled = (at for at, each in enumerate(self.topics) if each.rows)
        return next(filled, otherwise)

    def turned(self, step: int) -> int:
        """The list so many further on, the first one after the last."""
        return (self.at + step) % len(self.topics) if self.topics else self.at
