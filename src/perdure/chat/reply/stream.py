"""Asking one backend: make the prompt, stream the reply, keep it in the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from perdure.actions.backends.token_corrections import Corrections
from perdure.backends.errors import Action, BackendError
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.keys import loaded_secrets
from perdure.backends.protocol import (
    Backend,
    BackendSpec,
    Fingerprint,
    Finished,
    Piece,
    Request,
    StreamEvent,
    Thinking,
    ThoughtsClosed,
    Usage,
)
from perdure.backends.roles.shape import fold
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.chat.errors import LeavesMachine
from perdure.chat.events import Emit, Failed, ReplyPiece, ReplyStarted, ThinkingPiece
from perdure.chat.reply.prompt import BuiltPrompt, PromptSources, make_prompt, measure, reply_room
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.secrets import SecretMasker, mask_secrets
from perdure.companion.turns import Reply
from perdure.errors import Problem
from perdure.git.errors import HistoryError
from perdure.git.repository.turn_journal import Journal
from perdure.notice import Notice
from perdure.prompt import PastTurn, Prompt, newest_assembly
from perdure.prompt.errors import MemoryProblem
from perdure.snapshot.companion import CompanionAt
from perdure.snapshot.conversation.trailers import TurnFacts, with_choice

T = TypeVar("T")
_JOURNAL_EVERY = 1.0
Saw = Callable[[BackendSpec, Fingerprint, RequestForm | None], Awaitable[RequestForm]]
"""Told what a backend runs, and the form of request that it was just found to take; gives the form
that is known then. Raises HistoryError where that cannot be written down."""


@dataclass(slots=True)
class StreamedReply:
    """What came of asking the backend. ``failure`` is set where it broke off or never began."""

    text: str = ""
    reply: Reply | None = None
    """As it is recorded; None where not a word came, or nothing but blanks."""
    facts: TurnFacts | None = None
    """The trailers of the turn's commit, as far as the backend decides them."""
    finished: Finished | None = None
    thought: str = ""
    """What the model thought before it spoke, keys masked."""
    unsaid: bool = False
    """The first words turned out to be thoughts, and are none of ``text``."""
    masked: int = 0
    """Keys that were taken out of the text."""
    stopped: bool = False
    failure: Failed | None = None
    action: Action = Action.ASK
    """What to do about the failure."""
    retry_after: float | None = None
    """Seconds that the backend asked to wait."""
    refusal: BackendError | None = None
    """What the backend said; set where it was the backend that failed."""
    form: RequestForm | None = None
    """How it was asked."""
    prompt: Prompt | None = None
    prompt_tokens: int = 0
    reply_tokens: int = 0
    """What the reply might have, by companion.yaml and the manifest."""
    counted: BuiltPrompt | None = None
    fingerprint: str = ""
    model: str = ""
    ended_at: datetime | None = None

    @property
    def spoke(self) -> bool:
        """Whether a word of the reply came: blanks are none."""
        return bool(self.text.strip())


@dataclass(slots=True)
class ReplyRequest:
    """A question to the backend: the thread with the newest message last, and where it stands."""

    companion: CompanionAt
    turn: TurnId
    thread: tuple[PastTurn, ...]
    backend: Backend
    journal: Journal
    material: PromptSources = field(default_factory=PromptSources)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    saw: Saw | None = None
    """Told what the backend runs before it is asked."""
    form: RequestForm | None = None
    """How it is asked, where that is being tried; None: as is known of it."""
    may_leave: bool = True
    """Whether a backend that turns out to be hosted may be sent the conversation."""
    stand_in: bool = False
    """Whether the backend speaks in the place of another."""
    corrections: Corrections = field(default_factory=Corrections)
    room: int | None = None
    """Tokens, as counted here, that the prompt may have; None: what the window leaves."""


async def ask(wanted: ReplyRequest, emit: Emit) -> StreamedReply:
    """Assemble the prompt, stream the reply. What goes wrong is in `StreamedReply.failure`."""
    streamed = StreamedReply(model=wanted.backend.spec.model)
    try:
        request = await unless_stopped(wanted, _open(wanted, streamed, emit))
        if request is None:
            streamed.stopped = True
        else:
            await _stream(wanted, request, streamed, emit)
    except (BackendError, MemoryProblem, HistoryError, LeavesMachine) as problem:
        streamed.failure = _failed(problem, streamed)
        if isinstance(problem, BackendError):
            streamed.action, streamed.retry_after = problem.action, problem.retry_after
            streamed.refusal = problem
        elif isinstance(problem, LeavesMachine):
            streamed.action = Action.FAIL_OVER
    streamed.ended_at = now()
    streamed.reply, streamed.facts = _reply(wanted, streamed), _facts(wanted, streamed)
    return streamed


def _failed(problem: Problem, streamed: StreamedReply) -> Failed:
    """What to tell: a reply that broke off is answered, so there is nothing to resume."""
    # A server may repeat the key that it refuses, and this is shown and committed.
    what, _ = mask_secrets(problem.what, loaded_secrets())
    if streamed.spoke:
        return Failed(
            what,
            "What came of the reply is kept, marked interrupted.",
            "To hear the rest, ask for it in your next message.",
        )
    return Failed(
        what,
        problem.kept or "Your message is kept.",
        problem.next_step or "Answer it later with: perdure say --resume",
    )


async def unless_stopped(wanted: ReplyRequest, call: Coroutine[Any, Any, T]) -> T | None:
    """The call's result; None where the user stopped the reply before there was one."""
    running = asyncio.ensure_future(call)
    stopped = asyncio.ensure_future(wanted.stop.wait())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        for task in (running, stopped):
            task.cancel()
        await asyncio.wait({running, stopped})


async def _open(wanted: ReplyRequest, streamed: StreamedReply, emit: Emit) -> Request:
    opening = asyncio.ensure_future(wanted.backend.open())
    if wanted.backend.spec.driver == "embedded":
        # The thread that loads a model cannot be stopped, and a second one would load it twice.
        opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(opening)
    else:
        await opening
    _check_may_be_sent(wanted)
    return await _request(wanted, streamed, emit)


def _check_may_be_sent(wanted: ReplyRequest) -> None:
    """Known only once it is open: a model of Ollama's cloud looks like one of this machine."""
    if wanted.backend.hosted and not wanted.may_leave:
        raise LeavesMachine(
            f"{wanted.backend.spec.name} would send the conversation away from this machine",
            next_step="to allow that, set failover_to_hosted: yes in companion.yaml",
        )


async def _request(wanted: ReplyRequest, streamed: StreamedReply, emit: Emit) -> Request:
    backend, companion = wanted.backend, wanted.companion
    fingerprint = await backend.fingerprint()
    streamed.fingerprint = fingerprint.short
    form = wanted.form
    if form is None and wanted.saw is not None:
        form = await wanted.saw(backend.spec, fingerprint, None)
    streamed.form = form = form or RequestForm()
    by = await measure(backend, form)
    reply_tokens = reply_room(companion, by.window)
    own = backend.spec.parameters.get("max_tokens")
    streamed.reply_tokens = min(reply_tokens, own) if isinstance(own, int) else reply_tokens
    made = await make_prompt(
        companion, wanted.thread, by, wanted.material, wanted.corrections, wanted.room
    )
    prompt, tokens = made.prompt, made.tokens
    streamed.prompt, streamed.prompt_tokens, streamed.counted = prompt, tokens, made
    if made.notice:
        emit(Notice(made.notice))
    _say_what_was_left_out(wanted, prompt, emit)
    emit(
        ReplyStarted(
            turn=wanted.turn,
            speaker=companion.name,
            backend=backend.spec.name,
            model=backend.spec.model,
            prompt_tokens=tokens,
            window=by.window,
            left_out=prompt.left_out,
            stand_in=wanted.stand_in,
            rehearsal=backend.rehearsal,
        )
    )
    return Request(fold(prompt.messages, form.shape), reply_tokens, form.without)


def _say_what_was_left_out(wanted: ReplyRequest, prompt: Prompt, emit: Emit) -> None:
    """What is left out is shown when that changes, not on every turn after it."""
    previous, shown = wanted.material.previous, len(wanted.companion.persona.examples)
    before = previous.choice if previous is not None else None
    for path in prompt.choice.lore_timed_out:
        from perdure.prompt.lore import timed_out_text  # only for companions that have lore

        if before is None or path not in before.lore_timed_out:
            emit(Notice(f"Left out of the prompt: {timed_out_text(path)}", "warning"))
    same = before is not None and before.window == prompt.choice.window
    if same and before is not None and min(before.examples, shown) == prompt.choice.examples:
        return
    if prompt.left_out:
        emit(
            Notice(
                f"The {prompt.left_out} oldest turns no longer fit into the context window and "
                "are not sent; they stay in the history."
            )
        )
    elif prompt.choice.examples < shown:
        emit(Notice("Some of the persona's sample dialogues no longer fit and are not sent."))


async def _stream(
    wanted: ReplyRequest, request: Request, streamed: StreamedReply, emit: Emit
) -> None:
    """Pass events on as they come; the journal is synced about once a second."""
    listener = _Listener(wanted, streamed, emit)
    synced = time.monotonic()
    stream = wanted.backend.stream(request)
    stopped = asyncio.ensure_future(wanted.stop.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(stream, None))
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
                streamed.stopped = True
                break
            event = following.result()
            if event is None or isinstance(event, Finished):
                streamed.finished = event
                break
            listener.take(event)
            if time.monotonic() - synced >= _JOURNAL_EVERY:
                await asyncio.to_thread(wanted.journal.sync)
                synced = time.monotonic()
    finally:
        stopped.cancel()
        listener.end()
        await stream.aclose()


class _Listener:
    """Takes the words and thoughts of one reply, keys masked, and passes them on."""

    def __init__(self, wanted: ReplyRequest, streamed: StreamedReply, emit: Emit) -> None:
        self._journal, self._streamed, self._emit = wanted.journal, streamed, emit
        self._pieces: list[str] = []
        self._thinking: list[str] = []
        self._reply, self._thoughts = (SecretMasker(loaded_secrets()) for _ in range(2))

    def take(self, event: StreamEvent) -> None:
        """Take one event before the last."""
        if isinstance(event, Thinking):
            self._think(self._thoughts.feed(event.text))
        elif isinstance(event, Piece):
            self._think(self._thoughts.end())
            self._say(self._reply.feed(event.text))
        elif isinstance(event, ThoughtsClosed):
            self._say(self._reply.end())
            self._thinking += self._pieces
            self._pieces.clear()
            self._streamed.unsaid = True

    def end(self) -> None:
        """No more comes: what was held back is passed on, and all of it noted."""
        self._think(self._thoughts.end())
        self._say(self._reply.end())
        self._streamed.text, self._streamed.masked = "".join(self._pieces), self._reply.count
        self._streamed.thought = "".join(self._thinking)

    def _say(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._journal.append(text)
            self._emit(ReplyPiece(text))

    def _think(self, text: str) -> None:
        if text:
            self._thinking.append(text)
            self._emit(ThinkingPiece(text))


def _reply(wanted: ReplyRequest, streamed: StreamedReply) -> Reply | None:
    if not streamed.spoke:
        return None
    finished = streamed.finished
    whole = finished is not None and finished.stop in ("end", "length", "unknown")
    return Reply(
        speaker=wanted.companion.name,
        text=streamed.text,
        at=streamed.ended_at,
        backend=wanted.backend.spec.name,
        model=finished.model if finished and finished.model else streamed.model,
        interrupted=not whole,
        stand_in=wanted.stand_in,
    )


def _facts(wanted: ReplyRequest, streamed: StreamedReply) -> TurnFacts:
    prompt = streamed.prompt
    if prompt is None or streamed.counted is None or not streamed.spoke:
        return TurnFacts(turn=wanted.turn)
    usage = streamed.finished.usage if streamed.finished else Usage(None, None)
    facts = TurnFacts(
        turn=wanted.turn,
        backend=wanted.backend.spec.name,
        model=streamed.finished.model if streamed.finished else streamed.model,
        fingerprint=streamed.fingerprint,
        assembly=newest_assembly(),
        prompt=prompt.digest,
        tokens=(
            streamed.prompt_tokens if usage.prompt is None else usage.prompt,
            # Servers need not say it, and none does for a reply that was stopped.
            EstimateTokenizer().count(streamed.text) if usage.reply is None else usage.reply,
        ),
    )
    return with_choice(facts, prompt.choice, streamed.counted.inputs)
