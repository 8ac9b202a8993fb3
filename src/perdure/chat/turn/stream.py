"""One turn while it happens: journal, prompt, stream, commit; told as events."""

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
    Thinking,
    ThoughtsClosed,
    Usage,
)
from perdure.backends.roles.shape import fold
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.chat.errors import LeavesMachine
from perdure.chat.events import (
    Event,
    Failed,
    ReplyPiece,
    ReplyStarted,
    ThinkingPiece,
)
from perdure.chat.turn.prompt import BuiltPrompt, PromptSources, make_prompt, measure, reply_room
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
Emit = Callable[[Event], None]
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
    """Whether a backend that turns out to be hosted may be sent the talk."""
    stand_in: bool = False
    """Whether the backend speaks in the place of another."""
    corrections: Corrections = field(default_factory=Corrections)
    room: int | None = None
    """Tokens, as counted here, that the prompt may have; None: what the window leaves."""


async def ask(asking: ReplyRequest, emit: Emit) -> StreamedReply:
    """Assemble the prompt, stream the reply. What goes wrong is in `StreamedReply.failure`."""
    spoken = StreamedReply(model=asking.backend.spec.model)
    try:
        request = await unless_stopped(asking, _open(asking, spoken, emit))
        if request is None:
            spoken.stopped = True
        else:
            await _stream(asking, request, spoken, emit)
    except (BackendError, MemoryProblem, HistoryError, LeavesMachine) as problem:
        spoken.failure = _failed(problem, spoken)
        if isinstance(problem, BackendError):
            spoken.action, spoken.retry_after = problem.action, problem.retry_after
            spoken.refusal = problem
        elif isinstance(problem, LeavesMachine):
            spoken.action = Action.FAIL_OVER
    spoken.ended_at = now()
    spoken.reply, spoken.facts = _reply(asking, spoken), _facts(asking, spoken)
    return spoken


def _failed(problem: Problem, spoken: StreamedReply) -> Failed:
    """What to tell: a reply that broke off is answered, so there is nothing to resume."""
    # A server may repeat the key that it refuses, and this is shown and committed.
    what, _ = mask_secrets(problem.what, loaded_secrets())
    if spoken.spoke:
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


async def unless_stopped(asking: ReplyRequest, call: Coroutine[Any, Any, T]) -> T | None:
    """The call's result; None where the user stopped the reply before there was one."""
    running = asyncio.ensure_future(call)
    stopped = asyncio.ensure_future(asking.stop.wait())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        for task in (running, stopped):
            task.cancel()
        await asyncio.wait({running, stopped})


async def _open(asking: ReplyRequest, spoken: StreamedReply, emit: Emit) -> Request:
    opening = asyncio.ensure_future(asking.backend.open())
    if asking.backend.spec.driver == "embedded":
        # The thread that loads a model cannot be stopped, and a second one would load it twice.
        opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(opening)
    else:
        await opening
    _check_may_be_sent(asking)
    return await _request(asking, spoken, emit)


def _check_may_be_sent(asking: ReplyRequest) -> None:
    """Known only once it is open: a model of Ollama's cloud looks like one of this machine."""
    if asking.backend.hosted and not asking.may_leave:
        raise LeavesMachine(
            f"{asking.backend.spec.name} would send the talk away from this machine",
            next_step="to allow that, set failover_to_hosted: yes in companion.yaml",
        )


async def _request(asking: ReplyRequest, spoken: StreamedReply, emit: Emit) -> Request:
    backend, companion = asking.backend, asking.companion
    fingerprint = await backend.fingerprint()
    spoken.fingerprint = fingerprint.short
    form = asking.form
    if form is None and asking.saw is not None:
        form = await asking.saw(backend.spec, fingerprint, None)
    spoken.form = form = form or RequestForm()
    by = await measure(backend, form)
    reply_tokens = reply_room(companion, by.window)
    own = backend.spec.parameters.get("max_tokens")
    spoken.reply_tokens = min(reply_tokens, own) if isinstance(own, int) else reply_tokens
    made = await make_prompt(
        companion, asking.thread, by, asking.material, asking.corrections, asking.room
    )
    prompt, tokens = made.prompt, made.tokens
    spoken.prompt, spoken.prompt_tokens, spoken.counted = prompt, tokens, made
    if made.notice:
        emit(Notice(made.notice))
    _say_what_was_left_out(asking, prompt, emit)
    emit(
        ReplyStarted(
            turn=asking.turn,
            speaker=companion.name,
            backend=backend.spec.name,
            model=backend.spec.model,
            prompt_tokens=tokens,
            window=by.window,
            left_out=prompt.left_out,
            stand_in=asking.stand_in,
            rehearsal=backend.rehearsal,
        )
    )
    return Request(fold(prompt.messages, form.shape), reply_tokens, form.without)


def _say_what_was_left_out(asking: ReplyRequest, prompt: Prompt, emit: Emit) -> None:
    """What is left out is shown when that changes, not on every turn after it."""
    previous, shown = asking.material.previous, len(asking.companion.persona.examples)
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
        emit(Notice("Some example talks of the persona no longer fit and are not sent."))


async def _stream(
    asking: ReplyRequest, request: Request, spoken: StreamedReply, emit: Emit
) -> None:
    """Hand pieces on as they come, keys masked; the journal is synced about once a second."""
    pieces: list[str] = []
    thinking: list[str] = []
    reply, thoughts = (SecretMasker(loaded_secrets()) for _ in range(2))

    def say(text: str) -> None:
        if text:
            pieces.append(text)
            asking.journal.append(text)
            emit(ReplyPiece(text))

    def think(text: str) -> None:
        if text:
            thinking.append(text)
            emit(ThinkingPiece(text))

    synced = time.monotonic()
    stream = asking.backend.stream(request)
    stopped = asyncio.ensure_future(asking.stop.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(stream, None))
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
                spoken.stopped = True
                break
            event = following.result()
            if event is None or isinstance(event, Finished):
                spoken.finished = event
                break
            if isinstance(event, Thinking):
                think(thoughts.feed(event.text))
            elif isinstance(event, Piece):
                think(thoughts.end())
                say(reply.feed(event.text))
            elif isinstance(event, ThoughtsClosed):
                say(reply.end())
                thinking += pieces
                pieces.clear()
                spoken.unsaid = True
            if time.monotonic() - synced >= _JOURNAL_EVERY:
                await asyncio.to_thread(asking.journal.sync)
                synced = time.monotonic()
    finally:
        stopped.cancel()
        think(thoughts.end())
        say(reply.end())
        spoken.text, spoken.masked = "".join(pieces), reply.count
        spoken.thought = "".join(thinking)
        await stream.aclose()


def _reply(asking: ReplyRequest, spoken: StreamedReply) -> Reply | None:
    if not spoken.spoke:
        return None
    finished = spoken.finished
    whole = finished is not None and finished.stop in ("end", "length", "unknown")
    return Reply(
        speaker=asking.companion.name,
        text=spoken.text,
        at=spoken.ended_at,
        backend=asking.backend.spec.name,
        model=finished.model if finished and finished.model else spoken.model,
        interrupted=not whole,
        stand_in=asking.stand_in,
    )


def _facts(asking: ReplyRequest, spoken: StreamedReply) -> TurnFacts:
    prompt = spoken.prompt
    if prompt is None or spoken.counted is None or not spoken.spoke:
        return TurnFacts(turn=asking.turn)
    usage = spoken.finished.usage if spoken.finished else Usage(None, None)
    facts = TurnFacts(
        turn=asking.turn,
        backend=asking.backend.spec.name,
        model=spoken.finished.model if spoken.finished else spoken.model,
        fingerprint=spoken.fingerprint,
        assembly=newest_assembly(),
        prompt=prompt.digest,
        tokens=(
            spoken.prompt_tokens if usage.prompt is None else usage.prompt,
            # Servers need not say it, and none does for a reply that was stopped.
            EstimateTokenizer().count(spoken.text) if usage.reply is None else usage.reply,
        ),
    )
    return with_choice(facts, prompt.choice, spoken.counted.inputs)
