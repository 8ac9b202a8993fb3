"""Which backend answers: the first one listed, or, said and recorded, the next one that may.

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
from perdure.backends.errors import (
    Action,
    BackendError,
    ContextExceeded,
    ModelLoading,
)
from perdure.backends.hosted.request_form import RequestForm, difference
from perdure.backends.http.timeouts import timeouts_of
from perdure.backends.protocol import Backend
from perdure.chat.events import Event, Failed
from perdure.chat.routing.roster import BackendOrder
from perdure.chat.turn.prompt import reply_room
from perdure.chat.turn.stream import ReplyRequest, StreamedReply, ask, unless_stopped
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
        spoken: what it said.
        facts: the trailers of the turn's commit, but for the base of its prompt.
        absent: names of those that were asked in vain.
    """

    backend: Backend
    spoken: StreamedReply
    facts: TurnFacts
    absent: frozenset[str] = frozenset()


async def answer(
    asking: ReplyRequest, line_up: BackendOrder, emit: Callable[[Event], None]
) -> RoutedReply:
    """Ask one backend after another until one speaks, all failed, or the user has to decide."""
    order = line_up.order
    consent = asking.companion.settings.failover_to_hosted or (
        order[0].hosted and line_up.listed[0].hosted
    )
    failures: list[str] = []
    absent: set[str] = set()
    spoken = StreamedReply()
    last = order[0]
    for place, backend in enumerate(order):
        if place and backend.hosted and not consent:
            failures.append(f"{backend.spec.name}: not asked, it is hosted")
            emit(_not_asked(backend))
            continue
        last = backend
        question = replace(
            asking, backend=backend, may_leave=consent or place == 0, stand_in=place > 0
        )
        spoken = await _patiently(question, emit)
        settled = spoken.failure is None or spoken.spoke or spoken.action is Action.ASK
        if settled or asking.stop.is_set():
            return _routed(asking.turn, backend, spoken, failures, absent)
        absent.add(backend.spec.name)
        reason = _reason(backend, spoken)
        failures.append(f"{backend.spec.name}: {reason}")
        if place + 1 < len(order):
            emit(Notice(f"{backend.spec.name} did not answer: {reason}.", "warning"))
    if len(failures) > 1 and spoken.failure is not None:
        spoken.failure = Failed(
            f"no backend answered ({'; '.join(failures)})",
            spoken.failure.kept,
            _next_step(order),
        )
    return _routed(asking.turn, last, spoken, failures, absent)


def _routed(
    turn: TurnId,
    backend: Backend,
    spoken: StreamedReply,
    failures: Sequence[str],
    absent: AbstractSet[str],
) -> RoutedReply:
    facts = replace(spoken.facts or TurnFacts(turn=turn), instead_of=tuple(failures))
    return RoutedReply(backend, spoken, facts, frozenset(absent))


def _reason(backend: Backend, spoken: StreamedReply) -> str:
    """Why a backend failed, to stand behind its name."""
    what = spoken.failure.what.rstrip(".") if spoken.failure is not None else ""
    return what.removeprefix(f"{backend.spec.name} says: ")


def _next_step(asked: Sequence[Backend]) -> str:
    if all(backend.spec.disabled for backend in asked):
        return f"Look at one and allow it: perdure backend confirm {asked[0].spec.name}"
    return "When one of them is back, ask again with: perdure say --resume"


def _not_asked(backend: Backend) -> Notice:
    return Notice(
        f"{backend.spec.name} was not asked: it would send the talk away from this machine. "
        "To allow that, set failover_to_hosted: yes in companion.yaml.",
        "warning",
    )


async def _patiently(asking: ReplyRequest, emit: Callable[[Event], None]) -> StreamedReply:
    """Ask one backend, again after a pause where it says that waiting helps.

    A model that is being loaded is waited for as long as for a reply's first word.
    """
    clock = asyncio.get_running_loop().time
    patience, loaded_by, tried = timeouts_of(asking.backend.spec).first, 0.0, 0
    while True:
        spoken = await _fitting(asking, emit)
        pause, tried = _pause(spoken, tried + 1), tried + 1
        if isinstance(spoken.refusal, ModelLoading):
            pause, tried = min(pause or _LOADING, _LOADING), 0
            if not loaded_by:
                loaded_by = clock() + patience
                emit(Notice(f"{asking.backend.spec.name} is loading its model; it is waited for."))
            elif clock() > loaded_by:
                return spoken
        elif pause is not None and spoken.action is Action.RETRY and tried < _TRIES:
            emit(
                Notice(
                    f"{asking.backend.spec.name}: {_reason(asking.backend, spoken)}. "
                    f"Asking again in {pause:.0f} s."
                )
            )
        else:
            return spoken
        if asking.stop.is_set():
            return spoken
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asking.stop.wait(), timeout=pause)
            return replace(spoken, stopped=True, failure=None)


def _pause(spoken: StreamedReply, tried: int) -> float | None:
    """Seconds until it may be asked again; None where waiting is no remedy."""
    pause = spoken.retry_after if spoken.retry_after is not None else _PAUSE * 2**tried
    again = spoken.failure is not None and not spoken.spoke and pause <= _LONGEST_PAUSE
    return pause if again else None


async def _fitting(asking: ReplyRequest, emit: Callable[[Event], None]) -> StreamedReply:
    """Ask; where the prompt is too long for the backend, again with fewer of the old turns.

    Without the model's own counter the length is an estimate, and a server may run with a smaller
    window than its manifest says. Otherwise no message of that conversation would be answered.
    """
    asking, spoken = await _taken(asking, emit)
    for _ in range(_FITTINGS):
        room = _smaller_room(asking, spoken)
        if room is None or asking.stop.is_set():
            return spoken
        emit(
            Notice(
                f"{asking.backend.spec.name}: {_reason(asking.backend, spoken)}. "
                "It is asked again with fewer of the older turns; they stay in the history."
            )
        )
        asking, spoken = await _taken(replace(asking, room=room), emit)
    return spoken


async def _taken(
    asking: ReplyRequest, emit: Callable[[Event], None]
) -> tuple[ReplyRequest, StreamedReply]:
    """Ask; where the server refuses the prompt's roles or a field, again in another form.

    The form that it takes is written down before the turn is.
    """
    spoken = await ask(asking, emit)
    tried = None
    for _ in range(MOST):
        form = await _other_form(asking, spoken)
        if form is None or spoken.form is None or asking.stop.is_set():
            break
        emit(
            Notice(
                f"{asking.backend.spec.name}: {_reason(asking.backend, spoken)}. It is asked "
                f"again {difference(spoken.form, form)}; what it takes is kept for the next time."
            )
        )
        tried = form
        asking = replace(asking, form=form)
        spoken = await ask(asking, emit)
    heard = spoken.spoke or (spoken.failure is None and not spoken.stopped)
    if tried is not None and heard and asking.saw is not None:
        # The reply is there: it is kept, whether this can be written down now or not.
        with contextlib.suppress(HistoryError, BackendError):
            await asking.saw(asking.backend.spec, await asking.backend.fingerprint(), tried)
    return asking, spoken


async def _other_form(asking: ReplyRequest, spoken: StreamedReply) -> RequestForm | None:
    """The form to be asked in after a refusal; None where the backend refused nothing of it."""
    refusal, backend = spoken.refusal, asking.backend
    if refusal is None or spoken.spoke or spoken.thought or spoken.form is None:
        return None
    form = next_form(backend.spec, spoken.form, refusal)
    if form is None or getattr(refusal, "proven", True):
        return form
    # It may as well be something else. Words of our own tell whether it is the form.
    try:
        found = await unless_stopped(asking, try_forms(backend, spoken.form))
    except BackendError:
        return None
    return found.form if found is not None and found.form != spoken.form else None


def _smaller_room(asking: ReplyRequest, spoken: StreamedReply) -> int | None:
    """Tokens, as counted here, that should fit; None where that is not what went wrong."""
    exceeded, made = spoken.refusal, spoken.counted
    if not isinstance(exceeded, ContextExceeded) or made is None or spoken.spoke:
        return None
    if not exceeded.prompt_tokens:
        return int(made.tokens * _LESS)
    asking.corrections.learn(
        asking.backend.spec, made.tokenizer, made.counted, exceeded.prompt_tokens
    )
    fits = exceeded.window - reply_room(asking.companion, exceeded.window)
    return int(min(made.tokens * fits / exceeded.prompt_tokens, made.tokens) * _MARGIN)
