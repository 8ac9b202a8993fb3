"""Asking one backend after another until one replies; the user is told, and the commit says so.

Only backends that companion.yaml lists are asked, in its order, anew at each turn: one that is back
is used again. Before them goes the one that the user chose for this reply. From a local backend to
a hosted one only with ``failover_to_hosted: yes``; a choice speaks for the one that was chosen and
for no other. Once a word of a reply has come, nobody else is asked: the part that came is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from perdure.actions.backends.trial_call import MOST, next_form, try_forms
from perdure.backends.errors import Action, BackendError, ContextExceeded, ModelLoading
from perdure.backends.hosted.request_form import RequestForm, difference
from perdure.backends.http.timeouts import timeouts_of
from perdure.backends.protocol import Backend
from perdure.chat.events import Event, Failed
from perdure.chat.reply.prompt import reply_room
from perdure.chat.reply.stream import ReplyRequest, StreamedReply, ask, unless_stopped
from perdure.chat.routing.backend_set import BackendOrder
from perdure.companion.ids import TurnId
from perdure.git.errors import HistoryError
from perdure.notice import Notice
from perdure.snapshot.conversation.trailers import TurnFacts

_TRIES = 3
_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
_LOADING = 2.0
"""Seconds until a server that is loading its model is asked again."""
_FITTINGS = 3
_MARGIN = 0.95
_LESS = 0.75
"""What is left of a prompt that is too long by an unknown number of tokens."""


@dataclass(frozen=True, slots=True)
class RoutedReply:
    """Which backend replied, and what came of it.

    Attributes:
        backend: the one that was asked last.
        streamed: what it said.
        facts: the trailers of the turn's commit, but for the base of its prompt.
        absent: names of those that were asked in vain.
    """

    backend: Backend
    streamed: StreamedReply
    facts: TurnFacts
    absent: frozenset[str] = frozenset()


async def route_reply(
    request: ReplyRequest, backend_order: BackendOrder, emit: Callable[[Event], None]
) -> RoutedReply:
    """Ask one backend after another until one speaks, all failed, or the user has to decide."""
    order = backend_order.order
    consent = request.companion.settings.failover_to_hosted or (
        order[0].hosted and backend_order.listed[0].hosted
    )
    failures: list[str] = []
    absent: set[str] = set()
    streamed = StreamedReply()
    last = order[0]
    for place, backend in enumerate(order):
        if place and backend.hosted and not consent:
            failures.append(f"{backend.spec.name}: not asked because it is hosted")
            emit(_not_asked(backend))
            continue
        last = backend
        question = replace(
            request, backend=backend, may_leave=consent or place == 0, stand_in=place > 0
        )
        streamed = await _patiently(question, emit)
        settled = streamed.failure is None or streamed.spoke or streamed.action is Action.ASK
        if settled or request.stop.is_set():
            return _routed(request.turn, backend, streamed, failures, absent)
        absent.add(backend.spec.name)
        reason = _reason(backend, streamed)
        failures.append(f"{backend.spec.name}: {reason}")
        if place + 1 < len(order):
            emit(Notice(f"{backend.spec.name} did not answer: {reason}.", "warning"))
    if len(failures) > 1 and streamed.failure is not None:
        streamed.failure = Failed(
            f"no backend answered ({'; '.join(failures)})",
            streamed.failure.kept,
            _next_step(order),
        )
    return _routed(request.turn, last, streamed, failures, absent)


def _routed(
    turn: TurnId,
    backend: Backend,
    streamed: StreamedReply,
    failures: Sequence[str],
    absent: AbstractSet[str],
) -> RoutedReply:
    facts = replace(streamed.facts or TurnFacts(turn=turn), instead_of=tuple(failures))
    return RoutedReply(backend, streamed, facts, frozenset(absent))


def _reason(backend: Backend, streamed: StreamedReply) -> str:
    """Why a backend failed, to stand behind its name."""
    what = streamed.failure.what.rstrip(".") if streamed.failure is not None else ""
    return what.removeprefix(f"{backend.spec.name} says: ")


def _again(request: ReplyRequest, streamed: StreamedReply, message: str) -> Notice:
    """Why the same backend is asked once more."""
    return Notice(f"{request.backend.spec.name}: {_reason(request.backend, streamed)}. {message}")


def _next_step(asked: Sequence[Backend]) -> str:
    if all(backend.spec.disabled for backend in asked):
        return f"Look at one and allow it: perdure backend confirm {asked[0].spec.name}"
    return "Once one of them is back, ask again with: perdure say --resume"


def _not_asked(backend: Backend) -> Notice:
    return Notice(
        f"{backend.spec.name} was not asked: it would send the conversation away from this "
        "machine. To allow that, set failover_to_hosted: yes in companion.yaml; if it says so "
        "already: perdure backend confirm.",
        "warning",
    )


async def _patiently(request: ReplyRequest, emit: Callable[[Event], None]) -> StreamedReply:
    """Ask one backend, again after a pause where it says that waiting helps.

    A model that is being loaded is waited for as long as for a reply's first word.
    """
    clock = asyncio.get_running_loop().time
    patience, loaded_by, tried = timeouts_of(request.backend.spec).first, 0.0, 0
    while True:
        streamed = await _fitting(request, emit)
        pause, tried = _pause(streamed, tried + 1), tried + 1
        if isinstance(streamed.refusal, ModelLoading):
            pause, tried = min(pause or _LOADING, _LOADING), 0
            if not loaded_by:
                loaded_by = clock() + patience
                emit(Notice(f"{request.backend.spec.name} is loading its model; waiting for it."))
            elif clock() > loaded_by:
                return streamed
        elif pause is not None and streamed.action is Action.RETRY and tried < _TRIES:
            emit(_again(request, streamed, f"Asking again in {pause:.0f} s."))
        else:
            return streamed
        if request.stop.is_set():
            return streamed
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.stop.wait(), timeout=pause)
            return replace(streamed, stopped=True, failure=None)


def _pause(streamed: StreamedReply, tried: int) -> float | None:
    """Seconds until it may be asked again; None where waiting is no remedy."""
    pause = streamed.retry_after if streamed.retry_after is not None else _PAUSE * 2**tried
    again = streamed.failure is not None and not streamed.spoke and pause <= _LONGEST_PAUSE
    return pause if again else None


async def _fitting(request: ReplyRequest, emit: Callable[[Event], None]) -> StreamedReply:
    """Ask; where the prompt is too long for the backend, again with fewer of the old turns.

    Without the model's own counter the length is an estimate, and a server may run with a smaller
    window than its manifest says. Otherwise no message of that conversation would be answered.
    """
    request, streamed = await _taken(request, emit)
    for _ in range(_FITTINGS):
        room = _smaller_room(request, streamed)
        if room is None or request.stop.is_set():
            return streamed
        message = "It is asked again with fewer of the older turns; they stay in the history."
        emit(_again(request, streamed, message))
        request, streamed = await _taken(replace(request, room=room), emit)
    return streamed


async def _taken(
    request: ReplyRequest, emit: Callable[[Event], None]
) -> tuple[ReplyRequest, StreamedReply]:
    """Ask; where the server refuses the prompt's roles or a field, again in another form.

    The form that it takes is written down before the turn is.
    """
    streamed = await ask(request, emit)
    tried = None
    for _ in range(MOST):
        form = await _other_form(request, streamed)
        if form is None or streamed.form is None or request.stop.is_set():
            break
        how = difference(streamed.form, form)
        message = f"It is asked again {how}; what it takes is kept for the next time."
        emit(_again(request, streamed, message))
        tried = form
        request = replace(request, form=form)
        streamed = await ask(request, emit)
    heard = streamed.spoke or (streamed.failure is None and not streamed.stopped)
    if tried is not None and heard and request.saw is not None:
        # The reply is there: it is kept, whether this can be written down now or not.
        with contextlib.suppress(HistoryError, BackendError):
            await request.saw(request.backend.spec, await request.backend.fingerprint(), tried)
    return request, streamed


async def _other_form(request: ReplyRequest, streamed: StreamedReply) -> RequestForm | None:
    """The form to be asked in after a refusal; None where the backend refused nothing of it."""
    refusal, backend = streamed.refusal, request.backend
    if refusal is None or streamed.spoke or streamed.thought or streamed.form is None:
        return None
    form = next_form(backend.spec, streamed.form, refusal)
    if form is None or getattr(refusal, "proven", True):
        return form
    # It may as well be something else. Words of our own tell whether it is the form.
    try:
        found = await unless_stopped(request, try_forms(backend, streamed.form))
    except BackendError:
        return None
    return found.form if found is not None and found.form != streamed.form else None


def _smaller_room(request: ReplyRequest, streamed: StreamedReply) -> int | None:
    """Tokens, as counted here, that should fit; None where that is not what went wrong."""
    exceeded, made = streamed.refusal, streamed.counted
    if not isinstance(exceeded, ContextExceeded) or made is None or streamed.spoke:
        return None
    if not exceeded.prompt_tokens:
        return int(made.tokens * _LESS)
    request.corrections.learn(
        request.backend.spec, made.tokenizer, made.counted, exceeded.prompt_tokens
    )
    fits = exceeded.window - reply_room(request.companion, exceeded.window)
    return int(min(made.tokens * fits / exceeded.prompt_tokens, made.tokens) * _MARGIN)
