"""HTTP failures as backend errors, for every driver with a server.

Nothing here imports an HTTP library: drivers bring the status, the headers and the exceptions.
"""

from __future__ import annotations

import contextlib
import email.utils
import math
import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from http import HTTPStatus
from typing import Protocol

from perdure.backends.errors import (
    AuthenticationFailed,
    BackendError,
    ConnectionRefused,
    ContextExceeded,
    ModelLoading,
    ModelMissing,
    Overloaded,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    StreamCut,
    TimedOut,
    Unreachable,
)

ANSWER_LIMIT = 8 << 20
"""Bytes of one answer, or of one event of a stream; a model's licence texts make the largest."""
_REPLY_LEAST = 64 << 10
_LETTERS = 16
"""Bytes of text for each token; only rare ones of the usual vocabularies have more."""
_FRAME = 4 << 10
"""Bytes of an event around one token: filters' results and usage make the largest."""
ERROR_LIMIT = 256 << 10
"""Bytes of an error's body that are read: some servers repeat the whole request in it."""


def reply_limit(tokens: int) -> int:
    """The bytes of text, thoughts included, at which a reply of that many tokens is cut off."""
    return _REPLY_LEAST + _LETTERS * max(tokens, 0)


def stream_limit(tokens: int) -> int:
    """The bytes of a whole stream for a reply of that many tokens, one event each."""
    return ANSWER_LIMIT + _FRAME * max(tokens, 0)


AT_FAULT = frozenset({400, 406, 415, 422})
"""Statuses that say that the request itself cannot be taken."""
_NO_LIST = frozenset({403, 404, 405, 501})
"""Statuses of servers that have no list of models, or have it not for this key."""
LINE_LIMIT = 300
"""Letters of a server's words that are shown."""
_LONGEST_PAUSE = 24 * 3600.0

# llama.cpp, and inference services of Hugging Face.
_LOADING = re.compile(
    r"loading( the)? model|model .{0,60}\bloading\b|warming up", re.IGNORECASE | re.DOTALL
)
# Not "context deadline exceeded", which is Go's word for a timeout.
TOO_LONG = re.compile(
    r"exceed_context_size|(?=.*context (length|window|size))(?=.*(exceed|too long|longer))",
    re.IGNORECASE | re.DOTALL,
)


class NotOffered(Exception):
    """The server does not answer questions about models, or not with this key."""

    def __init__(self, why: BackendError, status: int) -> None:
        super().__init__(why.what)
        self.why = why
        self.status = status

    def check(self) -> None:
        """Raise what kept the server from answering, unless it only lacks a list."""
        if self.status not in _NO_LIST:
            raise self.why from self

    @property
    def doubt(self) -> BackendError | None:
        """What the refusal says about the key or the model."""
        return self.why if isinstance(self.why, AuthenticationFailed | ModelMissing) else None


def status_error(
    status: int,
    said: str,
    headers: Mapping[str, str],
    *,
    window: int,
    key_step: str,
    protocol_step: str,
) -> BackendError:
    """The error that a status alone means; 200 for an error in mid-stream.

    Args:
        status: of the answer.
        said: the error's first clause.
        headers: of the answer, for ``Retry-After``.
        window: tokens, for the error of a prompt that is too large.
        key_step: what to do about a key that is not accepted.
        protocol_step: what to do about an answer that makes no sense.
    """
    pause = retry_after(headers)
    found: BackendError
    match status:
        case 401 | 403:
            found = AuthenticationFailed(said, next_step=key_step)
        case 402:
            found = QuotaExceeded(said)
        case 408 | 504:
            found = TimedOut(said)
        case 413:
            found = ContextExceeded(None, window)
        case 429:
            found = RateLimited(said, retry_after=pause)
        case 503 if _LOADING.search(said):
            found = ModelLoading(said, retry_after=pause)
        # 409: another request of the same account was in the way; the providers' packages retry.
        case 409 | 425 | 503 | 529:
            found = Overloaded(said, retry_after=pause)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.OK:
            found = Unreachable(said)
        case _:
            found = ProtocolError(said, next_step=protocol_step)
            found.blames_request = status in AT_FAULT
    return found


class _Response(Protocol):
    """A response of httpx or httpx2."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


async def error_body(response: _Response) -> bytes:
    """The start of an error's body, if readable; closes the connection."""
    body = bytearray()
    if not is_compressed(response.headers):
        async for block in response.aiter_raw():
            body += block
            if len(body) > ERROR_LIMIT:
                break
    await response.aclose()
    return bytes(body)


async def bounded(stream: AsyncIterable[bytes], name: str) -> AsyncIterator[bytes]:
    """The bytes of an answer to a question. Raises ProtocolError where they are too many."""
    total = 0
    async for block in stream:
        total += len(block)
        if total > ANSWER_LIMIT:
            raise ProtocolError(f"{name} sent an endless answer")
        yield block


def error_line(text: str, secret: str = "") -> str:
    """A server's words on one short line, without the key that some servers repeat.

    The key goes first: half of one, at the line's end, would not be known for what it is.
    """
    plain = text.replace(secret, "…") if secret else text
    return " ".join(plain.split())[:LINE_LIMIT]


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Whether an answer is compressed, which we did not ask for: 8 MiB may unpack to 8 GiB."""
    return headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``Retry-After``: a number, a date (RFC 9110, 10.2.3), or OpenAI's form."""
    if "retry-after-ms" in headers:
        with contextlib.suppress(ValueError):
            return _bounded(float(headers["retry-after-ms"]) / 1000)
    header = headers.get("retry-after", "")
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
        # A date that has passed, by this machine's clock, names no pause.
        return _bounded(seconds) if seconds > 0 else None
    return _bounded(seconds)


def _bounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_PAUSE)


def lost_connection(
    error: Exception, name: str, address: str, *, heard: bool, start: str = ""
) -> BackendError:
    """The error for a server that was not found, fell silent or disconnected.

    ``heard``: a part of the reply was there already. ``start``: how to start such a server.
    """
    kinds = {kind.__name__ for each in _chain(error) for kind in type(each).__mro__}
    if kinds & {"TimeoutException", "TimeoutError"}:
        return TimedOut(f"{name} at {address} did not answer in time")
    if heard:
        return StreamCut(f"the connection to {name} was lost in the middle of its reply")
    if has_refused(error):
        return ConnectionRefused(f"nothing listens at {address}", next_step=start)
    # The innermost error that says something: httpx2 leaves some of its own without a word.
    why = next((text for each in reversed(_chain(error)) if (text := str(each)[:200])), "")
    # The name that httpx and httpx2 have for bytes that are no HTTP, and for a hang-up.
    if "RemoteProtocolError" in kinds and not re.search(r"disconnected|closed", why):
        return ProtocolError(f"{name} at {address} does not speak HTTP")
    lost = Unreachable(f"{name} at {address} cannot be reached" + (f": {why}" if why else ""))
    lost.hung_up = bool(kinds & {"RemoteProtocolError", "ReadError"})
    return lost


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while (following := found[-1].__cause__) is not None and following not in found:
        found.append(following)
    return found


def has_refused(error: BaseException | None) -> bool:
    """Whether a refused connection is the cause; anyio hides it in a group of attempts."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        if isinstance(error, BaseExceptionGroup):
            return any(has_refused(each) for each in error.exceptions)
        error = error.__cause__ or error.__context__
    return False
