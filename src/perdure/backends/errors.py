"""Errors of backends, and what the caller should do about each.

    BackendError
    ├── Unreachable            no connection, or the machine has no such driver running
    │   ├── ConnectionRefused  the address answers, nobody listens there
    │   └── TimedOut           connected, but no answer in time
    ├── AuthenticationFailed   the key is missing or not accepted
    ├── QuotaExceeded          paid-for use is used up; waiting does not help
    ├── RateLimited            too many requests; waiting helps
    ├── Overloaded             the server is busy; waiting helps
    │   └── ModelLoading       it is reading the model into memory, which takes minutes
    ├── ModelMissing           the model's file or name is not there
    ├── WrongChecksum          the model's file is there but is not the one it should be
    ├── ContextExceeded        the prompt does not fit into the model's window
    ├── ContentRefused         the provider will not answer this prompt
    ├── StreamCut              the reply stopped without an end mark
    ├── ReplyTooLong           the reply went on far beyond the tokens that it was asked for
    ├── ProtocolError          an answer that makes no sense
    │   └── ShapeRefused       the model's template does not take the prompt's roles
    ├── BadParameter           a manifest asks for what the driver cannot do
    │   └── FieldRefused       the server refuses a field of the request
    ├── NotConfirmed           the manifest came from outside and nobody has agreed to it
    └── DriverMissing          the driver is unknown here or its package is not installed

`FetchFailed` stands beside these: it concerns fetching a model, not talking to one.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from perdure.errors import Problem


class Action(Enum):
    """What a caller should do after a backend's error."""

    RETRY = "retry"
    """The same backend may answer after a pause."""
    FAIL_OVER = "fail over"
    """This backend will not answer now; the next one that the user listed may."""
    ASK = "ask"
    """Another backend is no remedy, or not ours to choose: stop and tell the user."""


class BackendError(Problem):
    """Base of this room's errors.

    ``retry_after`` is the pause in seconds that the server asked for, where it did.
    """

    action: ClassVar[Action] = Action.ASK

    def __init__(
        self,
        what: str,
        kept: str = "",
        next_step: str = "",
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, kept, next_step)
        self.retry_after = retry_after


class Unreachable(BackendError):
    """There is no connection to the backend, or it was closed."""

    action = Action.FAIL_OVER
    hung_up = False
    """Somebody was there, and ended the connection without an answer."""


class ConnectionRefused(Unreachable):
    """The machine responds, but nothing listens on that port."""


class TimedOut(Unreachable):
    """The connection works, but no answer came in time."""


class AuthenticationFailed(BackendError):
    """The key is missing, wrong or revoked."""

    action = Action.FAIL_OVER


class QuotaExceeded(BackendError):
    """The account has no credit left; retrying cannot help."""

    action = Action.FAIL_OVER


class RateLimited(BackendError):
    """Too many requests in a short time."""

    action = Action.RETRY


class Overloaded(BackendError):
    """The server is running but too busy."""

    action = Action.RETRY


class ModelLoading(Overloaded):
    """The server is still loading the model into memory."""


class ModelMissing(BackendError):
    """The model is not on this machine, or the server does not know it."""

    action = Action.FAIL_OVER


class WrongChecksum(BackendError):
    """A model file is not what its name promises. It is never loaded and always reported."""


class ContextExceeded(BackendError):
    """The prompt is longer than the model's window. Both counts are in tokens.

    ``prompt_tokens`` is None where the backend does not say how many there are.
    """

    def __init__(self, prompt_tokens: int | None, window: int, kept: str = "") -> None:
        super().__init__(
            f"the prompt has {prompt_tokens} tokens, but the model's window holds {window}"
            if prompt_tokens is not None
            else f"the prompt does not fit into the model's window of {window} tokens",
            kept,
            "shorten the persona, or give the backend a larger context_window",
        )
        self.prompt_tokens = prompt_tokens
        self.window = window


class ContentRefused(BackendError):
    """The provider declined this prompt. No other backend is asked without the user knowing."""


class StreamCut(BackendError):
    """The reply ended without its end mark; the text before that is as streamed."""

    action = Action.FAIL_OVER


class ReplyTooLong(BackendError):
    """The model does not stop; the text up to the limit is as streamed."""


class ProtocolError(BackendError):
    """The backend's answer breaks its protocol."""

    action = Action.FAIL_OVER
    blames_request = False
    """The status says that the request cannot be taken, and the words do not say what of it."""


class BadParameter(BackendError):
    """A manifest's field or parameter that the driver cannot honour."""


class ShapeRefused(ProtocolError):
    """The server, or the model's template, rejects the order of roles in the prompt.

    ``words`` are the server's. ``proven``: its status says that the request is at fault, and its
    words that the roles are; without, only a call that proves it teaches a shape.
    """

    def __init__(self, what: str, words: str, *, proven: bool, next_step: str = "") -> None:
        super().__init__(what, next_step=next_step)
        self.words = words
        self.proven = proven


class FieldRefused(BadParameter):
    """The server refuses ``field``, which the request can do without.

    Not ``proven`` where the name may be a word of the messages that the server repeats.
    """

    def __init__(self, what: str, field: str, next_step: str = "", *, proven: bool = True) -> None:
        super().__init__(what, next_step=next_step)
        self.field = field
        self.proven = proven


class NotConfirmed(BackendError):
    """The manifest came from outside; nothing is opened or sent until the user agrees."""

    action = Action.FAIL_OVER


class DriverMissing(BackendError):
    """This version has no such driver, or the package it needs is not installed."""

    action = Action.FAIL_OVER


class FetchFailed(BackendError):
    """A model could not be downloaded; no file that looks complete was left behind."""
