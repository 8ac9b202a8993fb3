"""One call to a backend in the roles of a real turn, without any word of the companion."""

from __future__ import annotations

import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from perdure.backends.errors import BackendError, ShapeRefused
from perdure.backends.hosted.request_form import RequestForm, form_after_refusal
from perdure.backends.protocol import (
    Backend,
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    Thinking,
    ThoughtsClosed,
)
from perdure.backends.roles.shape import fold, next_shape, parse_shape

PROMPT = (
    PromptMessage("system", "You are talking with a friend. Be brief."),
    PromptMessage("system", "Answer in one sentence."),
    PromptMessage("assistant", "Hello!"),
    PromptMessage("user", "Good evening."),
    PromptMessage("assistant", "Good evening to you."),
    PromptMessage("system", "Be friendly."),
    PromptMessage("user", "Say hello in one short sentence."),
)
"""Roles as in a turn: persona, reminder, greeting, turns, a reminder among them, the message."""
TOKENS = 24
MOST = 8
"""Calls until a server is given up that refuses one thing after another."""


@dataclass(frozen=True, slots=True)
class TrialCall:
    """The result of one call. Times in seconds: until the reply began, and until it ended."""

    form: RequestForm
    reply: str
    thought: bool
    finished: Finished | None
    first_piece: float
    whole: float


async def try_forms(backend: Backend, form: RequestForm, *, most: int = MOST) -> TrialCall:
    """Call an open backend until it accepts a form, starting with ``form``.

    Nothing is learned from what is no refusal of the request: that is raised at once, and so is the
    refusal of a shape that the manifest itself names. Where a refusal did not say that it was the
    roles or a field, the first form is tried once more: a server may fail at random.

    Raises:
        BackendError: the last refusal, or whatever else went wrong.
    """
    first, sure = form, True
    for call in range(most):
        try:
            found = await _call(backend, form)
        except BackendError as refusal:
            wider = _stricter(backend.spec, form, refusal)
            if wider is None or call + 1 == most:
                raise
            form, sure = wider, sure and getattr(refusal, "proven", False)
            continue
        if not sure:
            with suppress(BackendError):
                return await _call(backend, first)
        return found
    raise AssertionError


def _stricter(spec: BackendSpec, form: RequestForm, refusal: BackendError) -> RequestForm | None:
    """The form to try next, even where a server does not say what it refuses."""
    if getattr(refusal, "blames_request", False) and not spec.shape:
        shape = next_shape(form.shape, "")
        return replace(form, shape=shape) if shape is not None else None
    return next_form(spec, form, refusal)


def next_form(spec: BackendSpec, form: RequestForm, refusal: BackendError) -> RequestForm | None:
    """The form to try after a refusal; None if none is left, or the manifest fixes one."""
    if isinstance(refusal, ShapeRefused) and spec.shape:
        return None
    return form_after_refusal(form, refusal)


def first_form(spec: BackendSpec, stated: str = "") -> RequestForm:
    """The form to begin with: the manifest's, else the one that the model's template states."""
    shape = spec.shape or stated
    return RequestForm(parse_shape(shape)) if shape else RequestForm()


async def _call(backend: Backend, form: RequestForm) -> TrialCall:
    began, first, pieces, thought = time.monotonic(), 0.0, [], False
    finished: Finished | None = None
    request = Request(fold(PROMPT, form.shape), TOKENS, form.without)
    async with aclosing(backend.stream(request)) as stream:
        async for event in stream:
            match event:
                case Piece():
                    first = first or time.monotonic() - began
                    pieces.append(event.text)
                case Thinking():
                    thought = True
                case ThoughtsClosed():
                    thought, pieces = True, []
                case Finished():
                    finished = event
    whole = time.monotonic() - began
    return TrialCall(form, "".join(pieces).strip(), thought, finished, first, whole)
