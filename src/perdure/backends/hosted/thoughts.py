"""Separate thoughts from a reply when the server does not, and limit the length of both.

Open models write their thoughts between two marks at the very front of a reply. Servers that know
the model cut them out; those that do not stream them as words. Marks further on are the reply's own
words, as of a companion who talks about them. A template that puts the first mark into the prompt
leaves the last one alone in the reply, on a line's end: what stood before it is taken back then.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import wraps
from typing import Literal, Protocol, TypeVar

from perdure.backends.errors import BackendError, ReplyTooLong
from perdure.backends.hosted.request_form import LIMITS
from perdure.backends.http.errors import reply_limit
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    Request,
    StreamEvent,
    Thinking,
    ThoughtsClosed,
)

_FINAL = "<|channel|>final<|message|>"
_MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reflection>": "</reflection>",
    "<longcat_think>": "</longcat_think>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": _FINAL,
    "<|channel|>commentary<|message|>": _FINAL,
    "<|start|>assistant<|channel|>analysis<|message|>": _FINAL,
}
"""Of DeepSeek, Qwen and most others, Gemini's and Gemma's, Seed's, Mistral's, Kimi's, Cohere's, and
the channels of gpt-oss (https://cookbook.openai.com/articles/openai-harmony)."""
_WORDS_BEGIN = (_FINAL, f"<|start|>assistant{_FINAL}")
_HEADS = (
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<start_of_turn>model\n",
    "<|START_RESPONSE|>",
    "<|begin_of_solution|>",
)
"""Marks in front of a reply, or between its thoughts and words, that a template leaves in."""
_BLANK = " \t\r\n\ufeff"
_LONE = ("</think>", "</thinking>", "</thought>", "</reasoning>", "[/THINK]")
"""Marks that may come without their first one."""
_ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<eos>",
    "</s>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<|END_RESPONSE|>",
    "<|end_of_solution|>",
)
"""Marks of a turn's end in chat templates, which a server with another template leaves in."""
_ENDS_BEHIND = re.compile(rf"(?:(?:{'|'.join(map(re.escape, _ENDS))})\s*)+$")
_FIRST_MARKS = tuple(mark for mark, end in _MARKS.items() if end in _LONE)
_LONGEST = max(map(len, (*_MARKS, *_LONE, *_ENDS)))
_HALVES = re.compile("[\ud800-\udfff]")


class _Streams(Protocol):
    @property
    def spec(self) -> BackendSpec: ...

    async def context_window(self) -> int: ...


B = TypeVar("B", bound=_Streams)
Stream = Callable[[B, Request], AsyncGenerator[StreamEvent, None]]


def split_thoughts(stream: Stream[B]) -> Stream[B]:
    """A driver's ``stream``, with thoughts before the reply turned into `Thinking`.

    Halves of a character that come apart are joined. A reply that goes on far beyond the tokens
    that it was asked for, thoughts included, ends with `ReplyTooLong`.
    """

    @wraps(stream)
    async def split(self: B, request: Request) -> AsyncGenerator[StreamEvent, None]:
        tokens = request.max_tokens
        if set(LIMITS) <= set(request.without):
            tokens = max(tokens, await self.context_window())
        splitter, bound = ThoughtSplitter(), _Bound(self.spec.name, reply_limit(tokens))
        async with aclosing(stream(self, request)) as events:
            try:
                async for event in events:
                    for found in splitter.events(bound.within(event)):
                        yield found
                    bound.check()
            except ReplyTooLong:
                for found in splitter.cut():
                    yield found
                raise
            except BackendError:
                for found in splitter.rest():
                    yield found
                raise

    return split


class _Bound:
    """Ends a reply that would never end."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._left = limit

    def within(self, event: StreamEvent) -> StreamEvent:
        """The event, with its text cut to the room that is left."""
        if not isinstance(event, Piece | Thinking):
            return event
        data = event.text.encode("utf-8", "surrogatepass")
        self._left -= len(data)
        if self._left >= 0:
            return event
        return replace(event, text=data[: self._left].decode("utf-8", "ignore"))

    def check(self) -> None:
        """Raise ReplyTooLong when the room is used up."""
        if self._left < 0:
            raise ReplyTooLong(
                f"{self._name} did not end its reply; it was stopped at {self._limit >> 10} KiB",
                next_step="choose another model, or add a 'stop' to the manifest's parameters: its "
                "server ignores the token limit",
            )


class _Halves:
    """Joins a character that JSON escapes split over two pieces."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        text, self._held = self._held + text, ""
        if not _HALVES.search(text):
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def end(self) -> str:
        held, self._held = self._held, ""
        return held


class ThoughtSplitter:
    """Splits the pieces of one reply into thoughts and words."""

    def __init__(self) -> None:
        self._state: Literal["front", "thoughts", "gap", "words"] = "front"
        self._held = ""
        self._end = ""
        self._thought: list[str] = []
        """Of thoughts between marks that are not closed yet."""
        self._lone = ""
        """A last mark that came alone, until a word behind it shows that it ended thoughts."""
        self._looks_for_lone = True
        self._said = ""
        """The end of the words so far."""
        self._halves = {Piece: _Halves(), Thinking: _Halves()}

    def events(self, event: StreamEvent) -> list[StreamEvent]:
        """The events that are certain after one more piece; the last one releases everything."""
        match event:
            case Thinking():
                text = self._halves[Thinking].feed(event.text)
                return [Thinking(text)] if text else []
            case Piece():
                return self._fed(self._halves[Piece].feed(event.text))
            case Finished():
                return self._finished(event)
        return [event]

    def rest(self) -> list[StreamEvent]:
        """The text still held back when the reply broke off."""
        half = self._halves[Piece].end()
        held, self._held = self._lone + self._held + half, ""
        self._lone = ""
        if not held:
            return []
        return [Thinking(held) if self._state == "thoughts" else Piece(held)]

    def cut(self) -> list[StreamEvent]:
        """The text held back when the length limit ended the reply: it may all be one thought."""
        return self._unclosed() or self.rest()

    def _finished(self, event: Finished) -> list[StreamEvent]:
        unclosed = self._unclosed()
        if unclosed:
            return [*unclosed, replace(event, stop="unclosed")]
        found = self.rest()
        if self._state == "words":
            texts = [each.text for each in found if isinstance(each, Piece)]
            # "</s>" also closes what "<s>" struck through.
            if "<s>" not in f"{self._said}{''.join(texts)}":
                texts = [_ENDS_BEHIND.sub("", text) for text in texts]
            found = [Piece(text) for text in texts if text]
        return [*found, event]

    def _unclosed(self) -> list[StreamEvent]:
        """Thoughts without a closing mark may be everything the model said."""
        if self._state != "thoughts":
            return []
        text = "".join(self._thought) + self._held + self._halves[Piece].end()
        self._thought, self._held = [], ""
        return [Piece(text.strip())] if text.strip() else []

    def _fed(self, text: str) -> list[StreamEvent]:
        self._held += text
        found: list[StreamEvent] = []
        while True:
            before = self._state, self._held
            if self._state == "front":
                self._front()
            elif self._state == "thoughts":
                found += self._thoughts()
            elif self._state == "gap":
                found += self._gap()
            else:
                found += self._words()
            if (self._state, self._held) == before or not self._held:
                return found

    def _front(self) -> None:
        self._held = _headless(self._held)
        begun = self._held.lstrip(_BLANK)
        for mark in _WORDS_BEGIN:
            if begun.startswith(mark):
                self._state, self._held = "words", begun.removeprefix(mark)
                return
        lower = begun.translate(_LOWER)
        for mark, end in _MARKS.items():
            if lower.startswith(mark.translate(_LOWER)):
                self._state, self._end = "thoughts", end.translate(_LOWER)
                self._held = begun[len(mark) :]
                return
        if not any(mark.translate(_LOWER).startswith(lower) for mark in _FRONTS):
            self._state = "words"

    def _thoughts(self) -> list[StreamEvent]:
        lower = self._held.translate(_LOWER)
        cut, end = lower.find(self._end), len(self._end)
        if cut >= 0:
            thought, self._held = self._held[:cut], self._held[cut + end :]
            self._state, self._thought = "gap", []
        else:
            cut, end = len(lower) - _begun(lower, (self._end,)), 0
            thought, self._held = self._held[:cut], self._held[cut:]
            self._thought.append(thought)
        return [Thinking(thought)] if thought.strip() or (thought and not end) else []

    def _gap(self) -> list[StreamEvent]:
        """Line ends between thoughts and words belong to neither."""
        words = _headless(self._held).lstrip()
        if words and not self._lone and any(head.startswith(words) for head in _HEADS):
            self._held = words
            return []
        if not words:
            # Behind a mark that came alone they may be the reply's own.
            self._held = self._held if self._lone else ""
            return []
        self._held, self._state = words, "words"
        if not self._lone:
            return []
        self._lone, taken_back = "", bool(self._said.strip())
        return [ThoughtsClosed()] if taken_back else []

    def _words(self) -> list[StreamEvent]:
        text, self._held = self._held, ""
        if self._looks_for_lone:
            taken = self._up_to_lone(text)
            if taken is not None:
                return taken
        cut = len(text) - _begun(text, (*_LONE, *_ENDS))
        behind = _ENDS_BEHIND.search(text, max(0, cut - 4 * _LONGEST), cut)
        cut = behind.start() if behind else cut
        text, self._held = text[:cut], text[cut:]
        return self._say(text)

    def _up_to_lone(self, text: str) -> list[StreamEvent] | None:
        """The words before a closing mark without an opening one; None if there are none."""
        found = [(at, mark) for mark in _LONE if (at := text.find(mark)) >= 0]
        at, mark = min(found, default=(len(text), ""))
        if any(mark in self._said + text[:at] for mark in _FIRST_MARKS):
            self._looks_for_lone = False
            return None
        if not mark:
            return None
        before, after = text[:at], text[at + len(mark) :]
        on_own_line = not (self._said + before).rpartition("\n")[2].strip()
        if not after and not on_own_line:
            self._held = text[at:]
            return self._say(before)
        self._looks_for_lone = False
        if not on_own_line and not after.startswith(("\n", "\r")):
            return None
        said = self._say(before)
        self._state, self._lone, self._held = "gap", mark, after
        return said

    def _say(self, text: str) -> list[StreamEvent]:
        if not text:
            return []
        self._said = (self._said + text)[-_KEPT:]
        return [Piece(text)]


def _headless(text: str) -> str:
    """A text without the marks that a template leaves at its start."""
    begun = text.lstrip(_BLANK)
    head = next((head for head in _HEADS if begun.startswith(head)), "")
    return begun.removeprefix(head) if head else text


_LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""As `str.lower`, which changes the length of some texts, does with the letters of marks."""
_FRONTS = (*_MARKS, *_WORDS_BEGIN, *_HEADS)
_KEPT = 4096
"""Letters of the words so far: a line that is longer is no thought's last."""


def _begun(text: str, marks: tuple[str, ...]) -> int:
    """How many characters at the end of ``text`` may start one of the marks."""
    longest = max(map(len, marks))
    for length in range(min(longest - 1, len(text)), 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks):
            return length
    return 0
