"""The Ollama driver: a model behind an Ollama server, on this machine or another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perdure.backends.errors import ContextExceeded
from perdure.backends.hosted.server_backend import ServerAccess, ServerBackend
from perdure.backends.hosted.thoughts import split_thoughts
from perdure.backends.http.address import checked_address
from perdure.backends.http.timeouts import Timeouts
from perdure.backends.ollama.discover import DEFAULT_PORT
from perdure.backends.ollama.model import (
    OllamaModel,
    cloud_name,
    digest_of,
    listed_entry,
    ollama_model,
    prompt_was_cut,
)
from perdure.backends.protocol import (
    BackendSpec,
    Fingerprint,
    Finished,
    Piece,
    Request,
    StopReason,
    StreamEvent,
    Thinking,
    Tokenizer,
    Usage,
)
from perdure.backends.tokens.estimate import tokenizer_for
from perdure.backends.tokens.llama import chat_messages

if TYPE_CHECKING:
    from ollama import ChatResponse

    from perdure.backends.ollama.server import OllamaServer

_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repeat_penalty": "repeat_penalty",
    "seed": "seed",
    "stop": "stop",
    "max_tokens": "num_predict",
}
"""Common names of parameters, and Ollama's."""

_STOPS: dict[str, StopReason] = {"length": "length", "load": "unknown", "unload": "unknown"}
"""Reasons other than an ordinary end; an Ollama before 0.1.38 has none at all."""


@dataclass(frozen=True, slots=True)
class _Connected:
    server: OllamaServer
    version: str
    model: OllamaModel
    tokenizer: Tokenizer


class OllamaBackend(ServerBackend["OllamaServer", _Connected]):
    """A model behind an Ollama server; a `Backend`."""

    def __init__(self, spec: BackendSpec, timeouts: Timeouts | None = None) -> None:
        """Imports nothing and contacts nothing yet.

        Raises:
            BadParameter: the manifest asks for something that this driver does not have, or names
                an address that cannot be used.
        """
        address = spec.address or f"127.0.0.1:{DEFAULT_PORT}"
        super().__init__(
            spec,
            timeouts,
            address=checked_address(
                address, spec.name, DEFAULT_PORT, allow_http=spec.allow_http
            ).without_end("/api/chat", "/api/generate", "/api/tags", "/api", "/v1"),
            honoured=_OPTIONS,
        )
        self._cloud = cloud_name(spec.model)

    @property
    def hosted(self) -> bool:
        """Also true for a model that a local Ollama passes on to its cloud.

        Such a model is known by its name, and by the server's list once the backend is open.
        """
        return self._cloud or super().hosted

    async def context_window(self) -> int:
        return (await self._open_server()).model.window

    async def tokenizer(self) -> Tokenizer:
        """Counts with another vocabulary or estimates: Ollama has no call that counts."""
        return (await self._open_server()).tokenizer

    async def fingerprint(self) -> Fingerprint:
        """Asked each time: `ollama pull` may change the model behind a name at any moment."""
        connected = await self._open_server()
        server, model = connected.server, connected.model
        entry = listed_entry(await server.get_or_empty("/api/tags"), self.spec.model)
        # A list that fails just now tells of no other model.
        if not model.digest or (entry and digest_of(entry) != model.digest):
            model = ollama_model(self.spec, entry, await server.show())
            if self._connected is connected:
                self._connected = replace(connected, model=model)
        return model.fingerprint(connected.version)

    @split_thoughts
    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """Stream one reply.

        Raises:
            ContextExceeded: the prompt does not fit into the window. An Ollama older than 0.12.6
                shows it by its token counts only, after the reply.
            StreamCut: the connection ended without an end mark.
            BackendError: everything that ``open`` raises, RateLimited, Overloaded, TimedOut.
        """
        connected = await self._open_server()
        connected.server.wire.without = request.without
        # Without it a model that thinks may do so inside its reply.
        thinks = connected.model.thinks and "think" not in request.without
        parts = connected.server.stream(
            chat_messages(request.messages),
            think=True if thinks else None,
            options=self._options(request, connected.model),
        )
        tool = ""
        async with aclosing(parts):
            async for part in parts:
                if part.message.thinking:
                    yield Thinking(part.message.thinking)
                if part.message.content:
                    yield Piece(part.message.content)
                for call in part.message.tool_calls or ():
                    tool = tool or call.function.name
                if part.done:
                    yield self._finished(connected, request, part, tool)

    def _options(self, request: Request, model: OllamaModel) -> dict[str, Any]:
        """Ollama's options. ``num_ctx`` is always set, since the server has its own default."""
        limit = self._limit(request)
        options = {_OPTIONS[name]: value for name, value in self._parameters.items()}
        if "stop" in options:
            # Ollama puts a request's stops in the place of the model's own.
            options["stop"] = list(dict.fromkeys([*model.stops, *options["stop"]]))
        return {**options, "num_ctx": model.window, "num_predict": limit}

    def _finished(
        self, connected: _Connected, request: Request, part: ChatResponse, tool: str
    ) -> Finished:
        prompt, reply = part.prompt_eval_count or None, part.eval_count
        if prompt is not None and prompt_was_cut(
            prompt,
            reply or 0,
            window=connected.model.window,
            version=connected.version,
            messages=request.messages,
            tokenizer=connected.tokenizer,
        ):
            raise ContextExceeded(
                None,
                connected.model.window,
                kept="the reply is kept, but the model did not see the whole prompt",
            )
        stop = _STOPS.get(part.done_reason or "", "end")
        return Finished(stop, Usage(prompt, reply), part.model or self.spec.model, tool=tool)

    def _package(self) -> Callable[[ServerAccess], OllamaServer]:
        from perdure.backends.ollama.server import OllamaServer

        return OllamaServer

    async def _learned(self, server: OllamaServer) -> _Connected:
        version = (await server.get_or_empty("/api/version")).get("version")
        entry = listed_entry(await server.get_or_empty("/api/tags"), self.spec.model)
        model = ollama_model(self.spec, entry, await server.show())
        tokenizer = await asyncio.to_thread(tokenizer_for, self.spec.model, own_name=True)
        server.wire.window = model.window
        self._cloud = self._cloud or model.remote
        return _Connected(server, str(version or ""), model, tokenizer)
