"""A backend that says what a test tells it to.

For failures that a real model cannot be asked for, and for talks of hundreds of turns; real replies
are tested with the embedded model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from perdure.backends.errors import BackendError
from perdure.backends.protocol import (
    BackendSpec,
    Fingerprint,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
    Tokenizer,
    Usage,
)
from perdure.backends.tokens.estimate import EstimateTokenizer

_BLOCK_ENDS = ".]\n\n"


@dataclass
class Scripted:
    """Replies with ``reply(prompt)`` in pieces of ``step`` letters.

    ``fail_after`` raises ``failure`` after that many pieces; ``hold_after`` waits there until it is
    stopped.
    """

    reply: Callable[[tuple[PromptMessage, ...]], str] = lambda prompt: (
        # The message itself; recall may put earlier moments in front of it, or be too late for it.
        f"I heard: {prompt[-1].content.rpartition(_BLOCK_ENDS)[2]}"
    )
    step: int = 7
    window: int = 8192
    failure: BackendError | None = None
    fail_after: int = 0
    hold_after: int | None = None
    name: str = "scripted"
    driver: str = "scripted"
    prints: Fingerprint = field(default_factory=lambda: Fingerprint("0123456789abcdef"))
    is_hosted: bool = False
    reports: float | None = None
    """Prompt tokens that it reports for each one that is estimated; None: it reports none."""
    asked: list[Request] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def spec(self) -> BackendSpec:
        return BackendSpec(self.name, self.driver, "script-1", context_window=self.window)

    @property
    def hosted(self) -> bool:
        return self.is_hosted

    @property
    def rehearsal(self) -> bool:
        return False

    async def open(self) -> None:
        if self.failure is not None and self.fail_after < 0:
            raise self.failure

    async def close(self) -> None: ...

    async def context_window(self) -> int:
        return self.window

    async def tokenizer(self) -> Tokenizer:
        return EstimateTokenizer()

    async def fingerprint(self) -> Fingerprint:
        return self.prints

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        self.asked.append(request)
        text = self.reply(request.messages)
        pieces = [text[at : at + self.step] for at in range(0, len(text), self.step)]
        for number, piece in enumerate(pieces):
            if self.failure is not None and number >= self.fail_after:
                raise self.failure
            if self.hold_after is not None and number >= self.hold_after:
                self.held.set()
                await asyncio.Event().wait()
            yield Piece(piece)
        if self.failure is not None:
            raise self.failure
        tokens = None
        if self.reports is not None:
            tokens = round(EstimateTokenizer().count_prompt(request.messages) * self.reports)
        yield Finished("end", Usage(tokens, len(pieces)), "script-1")
