"""Asking a model for the summary of a conversation, and for the facts in it.

Nothing here touches the repository. What a model cannot do, or may not see, is done without one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from perdure.actions.backends.token_corrections import Corrections
from perdure.backends.disabled import DisabledBackend
from perdure.backends.errors import ContextExceeded
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.keys import loaded_secrets
from perdure.backends.protocol import (
    Backend,
    Finished,
    Piece,
    PromptMessage,
    Request,
    ThoughtsClosed,
    Tokenizer,
)
from perdure.backends.roles.shape import fold, folded_counter
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.chat.background.conversation import ConversationReading
from perdure.companion.config.settings import CompanionSettings
from perdure.companion.memory.summaries import Summary, as_written, summary_path
from perdure.companion.secrets import mask_secrets
from perdure.memory.extract_facts import FACT_TOKENS, FoundFacts, facts_prompt, read_facts_answer
from perdure.memory.record import RecordMessage, messages_of, portion
from perdure.memory.summarise import clean_summary, extract_summary, summary_prompt, summary_room

MOST_CALLS = 12
"""Asked for one conversation by itself; a longer one is summarised on demand."""
_LETTERS_A_TOKEN = 12
"""An answer with more is broken off: the model does not know its end."""
_KNOWN = 40
"""Facts that a model is told are known already."""
_MARGIN = 32
_LESS = 0.6
"""What is left of a question that was too long."""


class TooLong(Exception):
    """The conversation would need more calls than may be made."""


@dataclass(frozen=True, slots=True)
class MemoryModel:
    """A backend that may read a conversation, with what is to be known of it."""

    backend: Backend
    window: int
    tokenizer: Tokenizer
    form: RequestForm = field(default_factory=RequestForm)

    @property
    def name(self) -> str:
        return self.backend.spec.name

    async def answer(self, messages: tuple[PromptMessage, ...], tokens: int) -> tuple[str, str]:
        """What it says, and the model that said it. Raises BackendError."""
        pieces: list[str] = []
        model, length = self.backend.spec.model, 0
        folded = fold(messages, self.form.shape)
        stream = self.backend.stream(Request(folded, tokens, self.form.without))
        async with contextlib.aclosing(stream):
            async for event in stream:
                if isinstance(event, Piece):
                    pieces.append(event.text)
                    length += len(event.text)
                elif isinstance(event, ThoughtsClosed):
                    pieces.clear()
                elif isinstance(event, Finished):
                    model = event.model or model
                if length > tokens * _LETTERS_A_TOKEN:
                    break
        text, _ = mask_secrets("".join(pieces), loaded_secrets())
        return text, model


async def may_read(
    backend: Backend,
    reading: ConversationReading,
    settings: CompanionSettings,
    corrections: Corrections,
    *,
    form: Callable[[Backend], Awaitable[RequestForm]],
    allowed: bool = False,
) -> MemoryModel | None:
    """The backend, opened, if it may be shown a conversation; None: it is done without a model.

    That is the one listed first, which sees the conversation anyway: no rehearsal model, none that
    waits to be confirmed, and a hosted one only where it has spoken in this conversation, where
    ``failover_to_hosted`` says so, or with ``allowed``. ``form`` tells how it is asked.

    Raises:
        BackendError: it does not answer.
    """

    def barred() -> bool:
        known = backend.spec.name in reading.backends
        return backend.hosted and not (known or allowed or settings.failover_to_hosted)

    if backend.rehearsal or isinstance(backend, DisabledBackend) or barred():
        return None
    await backend.open()
    if barred():
        return None
    known = await form(backend)
    counter = folded_counter(await backend.tokenizer(), known.shape)
    counter = corrections.applied(backend.spec, counter)
    return MemoryModel(backend, await backend.context_window(), counter, known)


async def summarise(
    asked: MemoryModel,
    reading: ConversationReading,
    settings: CompanionSettings,
    *,
    calls: int = MOST_CALLS,
    anew: bool = False,
) -> Summary | None:
    """The next text of a conversation's summary; None where the model gave nothing to be used.

    It goes on from the text that stands, also where a hand has changed it; from the beginning where
    that rests on what is set aside or gone, or was made without a model, and with ``anew``.

    Raises:
        BackendError: the model did not answer.
        TooLong: it would take more than so many calls, or not even one turn fits.
    """
    previous, since = _standing(reading, anew=anew)
    messages = messages_of((turn for turn in reading.turns if turn.number > since), settings)
    tokens, model = summary_room(asked.window), ""

    def prompt(part: Sequence[RecordMessage]) -> tuple[PromptMessage, ...]:
        return summary_prompt(
            part,
            previous,
            language=settings.language,
            char=settings.name,
            user=settings.user,
            tokens=tokens,
        )

    async with contextlib.aclosing(_in_parts(asked, messages, prompt, tokens, calls)) as parts:
        async for _, answer, said_by in parts:
            text = clean_summary(answer, tokens, (settings.name, settings.user))
            if not text:
                return None
            previous, model = text, said_by
    return _made(reading, previous, asked.name, model) if model else None


def without_model(reading: ConversationReading, settings: CompanionSettings) -> Summary | None:
    """A summary of the conversation's own sentences; None where there are none.

    The whole conversation again each time, so that it is the same on every machine. Not the
    greeting, which says nothing of it.
    """
    text = extract_summary(messages_of((turn for turn in reading.turns if turn.number), settings))
    return _made(reading, text) if text else None


async def find_facts(
    asked: MemoryModel,
    reading: ConversationReading,
    settings: CompanionSettings,
    *,
    calls: int = MOST_CALLS,
) -> FoundFacts:
    """The facts that a model names in a conversation. Raises BackendError, TooLong."""
    names = (settings.name, settings.user)
    known = _short(asked, [fact.text for fact in reading.facts])
    messages = messages_of(reading.turns, settings)

    def prompt(part: Sequence[RecordMessage]) -> tuple[PromptMessage, ...]:
        return facts_prompt(
            part, known, language=settings.language, char=settings.name, user=settings.user
        )

    found = FoundFacts(())
    tokens = min(FACT_TOKENS, asked.window // 4)
    async with contextlib.aclosing(_in_parts(asked, messages, prompt, tokens, calls)) as parts:
        async for part, answer, _ in parts:
            more = read_facts_answer(answer, part, names=names)
            found = FoundFacts(found.facts + more.facts, found.dropped + more.dropped)
    return found


def _short(asked: MemoryModel, texts: Sequence[str]) -> list[str]:
    """The last of these that take no more than an eighth of the window."""
    found: list[str] = []
    left = asked.window // 8
    for text in reversed(texts[-_KNOWN:]):
        left -= EstimateTokenizer().count(text) + 2
        if left < 0:
            break
        found.insert(0, text)
    return found


def _standing(reading: ConversationReading, *, anew: bool) -> tuple[str, int]:
    """The text to go on from, and the last turn that it covers."""
    standing, text, through = reading.standing, "", -1
    usable = standing is not None and not (standing.extractive or reading.is_stale or anew)
    if standing is not None and (standing.by_hand or usable):
        text, through = standing.text, -1 if anew else standing.through
    waits = reading.review
    if waits is not None and through < waits.through <= reading.through and not anew:
        for proposal in waits.proposals:
            if proposal.kind == "summary":
                text, through = proposal.text, waits.through
    return text, through


_Prompt = Callable[[Sequence[RecordMessage]], tuple[PromptMessage, ...]]


async def _in_parts(
    asked: MemoryModel, messages: Sequence[RecordMessage], prompt: _Prompt, tokens: int, calls: int
) -> AsyncGenerator[tuple[tuple[RecordMessage, ...], str, str], None]:
    """Ask about a conversation, portion by portion: the portion, the answer, who gave it."""
    room = asked.window - tokens - _MARGIN
    while messages:
        part, rest = await asyncio.to_thread(portion, messages, _fitting(asked, prompt, room))
        calls -= 1
        if not part or calls < 0:
            raise TooLong
        try:
            answer, model = await asked.answer(prompt(part), tokens)
        except ContextExceeded:
            # The count was an estimate, or the server has a smaller window than it says.
            room = int(room * _LESS)
            continue
        messages = rest
        yield part, answer, model


def _fitting(
    asked: MemoryModel, prompt: _Prompt, room: int
) -> Callable[[Sequence[RecordMessage]], bool]:
    def fits(part: Sequence[RecordMessage]) -> bool:
        # No token is longer than this on average; what is far too long is not counted.
        if sum(len(one.text) for one in part) > room * _LETTERS_A_TOKEN:
            return False
        return asked.tokenizer.count_prompt(prompt(part)) <= room

    return fits


def _made(reading: ConversationReading, text: str, backend: str = "", model: str = "") -> Summary:
    return as_written(
        Summary(
            reading.conversation,
            reading.through,
            text,
            backend,
            model,
            summary_path(reading.conversation),
            reading.sources,
        )
    )
