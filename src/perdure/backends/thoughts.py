"""Keeps a model's thoughts apart where its server leaves them inside the reply.

Open models write their thoughts between two marks at the very front of a reply. Servers that know
the model cut them out; those that do not stream them as words. Marks further on are the reply's own
words, as of a companion who talks about them. A template that puts the first mark into the prompt
leaves a reply without it, which cannot be told from one without thoughts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Literal, TypeVar

from perdure.backends.errors import BackendError
from perdure.backends.protocol import Piece, Request, StreamEvent, Thinking

_MARKS = {"<think>": "</think>", "[THINK]": "[/THINK]"}
"""Of DeepSeek, Qwen and most others, and of Mistral."""

B = TypeVar("B")
Stream = Callable[[B, Request], AsyncGenerator[StreamEvent, None]]


def thoughts_apart(stream: Stream[B]) -> Stream[B]:
    """A driver's ``stream`` whose thoughts at the front of a reply are `Thinking`."""

    @wraps(stream)
    async def told(self: B, request: Request) -> AsyncGenerator[StreamEvent, None]:
        splitter = Splitter()
        async with aclosing(stream(self, request)) as events:
            try:
                async for event in events:
                    for found in splitter.events(event):
                        yield found
            except BackendError:
                for found in splitter.rest():
                    yield found
                raise

    return told


class Splitter:
    """Splits the pieces of one reply."""

    def __init__(self) -> None:
        self._state: Literal["front", "thoughts", "gap", "words"] = "front"
        self._held = ""
        self._end = ""

    def events(self, event: StreamEvent) -> list[StreamEvent]:
        """What can be told after one more event; the last event lets everything go."""
        if isinstance(event, Thinking):
            return [event]
        if not isinstance(event, Piece):
            return [*self.rest(), event]
        if self._state == "words":
            return [event]
        self._held += event.text
        found: list[StreamEvent] = []
        if self._state == "front":
            self._front()
        if self._state == "thoughts":
            found += self._thoughts()
        if self._state == "gap":
            # The line ends between thoughts and words belong to neither.
            self._held = self._held.lstrip()
            self._state = "words" if self._held else "gap"
        if self._state == "words" and self._held:
            found += self.rest()
        return found

    def rest(self) -> list[StreamEvent]:
        """What is still held back."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [Thinking(held) if self._state == "thoughts" else Piece(held)]

    def _front(self) -> None:
        begun = self._held.lstrip()
        for mark, end in _MARKS.items():
            if begun.startswith(mark):
                self._state, self._end = "thoughts", end
                self._held = begun.removeprefix(mark)
                return
        if not any(mark.startswith(begun) for mark in _MARKS):
            self._state = "words"

    def _thoughts(self) -> list[StreamEvent]:
        thought, end, after = self._held.partition(self._end)
        if end:
            self._state, self._held = "gap", after
        else:
            kept = _begun(thought, self._end)
            cut = len(thought) - kept
            thought, self._held = thought[:cut], thought[cut:]
        return [Thinking(thought)] if thought.strip() or (thought and not end) else []


def _begun(text: str, mark: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of ``mark``."""
    return next((n for n in range(len(mark) - 1, 0, -1) if text.endswith(mark[:n])), 0)
