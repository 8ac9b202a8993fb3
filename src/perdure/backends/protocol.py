"""The interface that every driver implements, and the values that cross it.

A driver is made from a `BackendSpec`, opened, asked for streams, and closed. It knows nothing of
companions or of git. All failures are raised from the tree in `perdure.backends.errors`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
StopReason = Literal["end", "length", "cancelled", "refused", "unclosed", "unknown"]
"""``cancelled``: the server broke it off; ``unclosed``: thoughts that did not end may be all of it;
``unknown``: it came to its end mark, for a reason that is not known here."""
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt. ``name`` is the speaker if several share a role."""

    role: Role
    content: str
    name: str = ""


def sendable(text: str) -> str:
    """A text that UTF-8 can encode: a lone surrogate becomes U+FFFD.

    Bytes that are no UTF-8, in a message or a damaged chunk, are read as lone surrogates; sent as
    they are, no server could read the request.
    """
    return _LONE_SURROGATES.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """Everything a driver needs; made from a manifest.

    ``context_window`` counts tokens of prompt and reply together. ``parameters`` are sampling
    parameters under their common names (temperature, top_p, top_k, min_p, repeat_penalty, seed,
    stop, max_tokens); a driver refuses by name those that it cannot honour.
    """

    name: str
    driver: str
    model: str
    address: str = ""
    key: str = ""
    """A reference, ``env:NAME`` or ``keyring:service/user``; never the secret itself."""
    context_window: int = 0
    """0 means: what the model itself states."""
    parameters: Mapping[str, float | int | str | bool | list[str]] = field(default_factory=dict)
    allow_http: bool = False
    """Text and key may go in clear to a server that is not this machine."""
    connect_timeout: float = 0.0
    """Seconds; 0 means: the driver's own."""
    timeout: float = 0.0
    """Seconds that the server may be silent; 0 means: the driver's own."""
    shape: str = ""
    """Which roles a prompt may have, as `prompt_shape.parse_shape` reads it; empty: what the server
    is found to take."""
    disabled: str = ""
    """Why nothing may be opened or sent; such a spec gets no driver, but a backend that refuses."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one streamed reply."""

    messages: tuple[PromptMessage, ...]
    max_tokens: int
    without: tuple[str, ...] = ()
    """Fields of the driver's protocol that this server refuses, and that are left out."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the backend counted them; None if it does not say."""

    prompt: int | None
    reply: int | None
    prompt_reused: int | None = None
    """Part of the prompt served from the backend's own cache."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next part of the reply's text; never splits a code point."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning text that the model keeps separate from its reply."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtsClosed:
    """All text so far was thoughts: a closing mark came that had no opening one."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every stream that did not raise."""

    stop: StopReason
    usage: Usage
    model: str
    """The model id that served the reply, as the backend states it."""
    system_fingerprint: str = ""
    """What the provider calls the set-up that served it; OpenAI's protocol has it."""
    tool: str = ""
    """A tool that the model asked for, by name; none are offered to it."""


StreamEvent = Piece | Thinking | ThoughtsClosed | Finished


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies the model behind a name. ``short`` (16 hex digits) goes on every turn."""

    short: str
    details: Mapping[str, str] = field(default_factory=dict)
    """digest, quantisation, template, adapters, context length … as far as the backend tells."""
    shape: str = ""
    """What the model's template takes, as `prompt_shape.Shape` is written; empty where it says
    nothing."""


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """One model of a server, or of perdure's own catalogue."""

    name: str
    """What a manifest's ``model`` is to say; printable, without blanks at its ends."""
    size: int = 0
    """Bytes; 0 where the server does not say."""
    context_window: int = 0
    """Tokens; 0 where the server does not say."""
    installed: bool = True
    """False: to be fetched first, ``perdure models pull``."""
    loaded: bool = False
    """In the server's memory now, as far as it says."""


class Tokenizer(Protocol):
    """Counts tokens. ``exact`` is False for an estimate, which the screen calls one."""

    @property
    def exact(self) -> bool: ...

    @property
    def name(self) -> str: ...

    def count(self, text: str) -> int: ...

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Tokens of a whole prompt, including the chat template."""
        ...


class Backend(Protocol):
    """One way to reach one model."""

    @property
    def spec(self) -> BackendSpec: ...

    @property
    def hosted(self) -> bool:
        """True if text leaves this machine."""
        ...

    @property
    def rehearsal(self) -> bool:
        """True for the small embedded model, which is labelled as such."""
        ...

    async def open(self) -> None:
        """Load the model or connect. Cheap if already open. Raises BackendError."""
        ...

    async def close(self) -> None: ...

    async def context_window(self) -> int:
        """Tokens for prompt and reply together."""
        ...

    async def tokenizer(self) -> Tokenizer: ...

    async def fingerprint(self) -> Fingerprint: ...

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """Stream one reply. Closing the iterator (``aclose``) soon stops the model."""
        ...
