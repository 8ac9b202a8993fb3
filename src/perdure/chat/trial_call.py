"""One call to a backend in the roles of a real turn, with words of our own: no persona, no talk."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass

from perdure.backends.errors import BackendError, ShapeRefused
from perdure.backends.prompt_shape import fold, parse_shape
from perdure.backends.protocol import (
    Backend,
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    Thinking,
    Unsaid,
)
from perdure.backends.request_form import Form, form_after

PROMPT = (
    PromptMessage("system", "You are talking with a friend. Be brief."),
    PromptMessage("system", "Answer in one sentence."),
    PromptMessage("assistant", "Hello!"),
    PromptMessage("user", "Good evening."),
    PromptMessage("assistant", "Good evening to you."),
    PromptMessage("system", "Be friendly."),
    PromptMessage("user", "Say hello in one short sentence."),
)
"""Roles as in a turn: persona, reminder, greeting, talk, a reminder in the talk, the message."""
TOKENS = 24
MOST = 8
"""Calls until a server is given up that refuses one thing after another."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one call came to. Times in seconds: until the reply began, and until its end."""

    form: Form
    reply: str
    thought: bool
    finished: Finished | None
    first_piece: float
    whole: float


async def try_forms(backend: Backend, form: Form, *, most: int = MOST) -> Trial:
    """Call an open backend until it takes a form, beginning with ``form``.

    Nothing is learned from what is no refusal of roles or of a field: that is raised at once, and
    so is the refusal of a shape that the manifest itself names.

    Raises:
        BackendError: the last refusal, or whatever else went wrong.
    """
    for call in range(most):
        try:
            return await _call(backend, form)
        except BackendError as refusal:
            wider = next_form(backend.spec, form, refusal)
            if wider is None or call + 1 == most:
                raise
            form = wider
    raise AssertionError


def next_form(spec: BackendSpec, form: Form, refusal: BackendError) -> Form | None:
    """The form to be tried after a refusal; None where there is none, or the manifest says one."""
    if isinstance(refusal, ShapeRefused) and spec.shape:
        return None
    return form_after(form, refusal)


def first_form(spec: BackendSpec, stated: str = "") -> Form:
    """The form to begin with: the manifest's shape, else what the model's template states."""
    shape = spec.shape or stated
    return Form(parse_shape(shape)) if shape else Form()


async def _call(backend: Backend, form: Form) -> Trial:
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
                case Unsaid():
                    thought, pieces = True, []
                case Finished():
                    finished = event
    whole = time.monotonic() - began
    return Trial(form, "".join(pieces).strip(), thought, finished, first, whole)
