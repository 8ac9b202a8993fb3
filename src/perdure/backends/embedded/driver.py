"""The embedded driver: llama.cpp in this process, through xllamacpp.

llama.cpp runs as xllamacpp's `Server`: generation is called directly, with a callback per piece,
in a worker thread of each reply. The server also listens on a loopback port and cannot be told
not to; a random key of this process guards it, and token counts are asked over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from perdure.backends.embedded.settings import import_xllamacpp, server_parameters, window_of
from perdure.backends.errors import (
    BackendError,
    BadParameter,
    ContextExceeded,
    ModelMissing,
    ProtocolError,
    ShapeRefused,
    StreamCut,
    Unreachable,
)
from perdure.backends.hosted.thoughts import split_thoughts
from perdure.backends.parameters import checked_parameters, limit_of
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
from perdure.backends.roles.refusal import MAY_NAME_ROLES
from perdure.backends.roles.template import is_whole, shape_text, trials
from perdure.backends.store.catalogue import CATALOGUE, check_package, locate, model_digest, verify
from perdure.backends.tokens.llama import LlamaTokenizer, LoopbackCalls, chat_messages

HONOURED = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "repeat_penalty",
        "seed",
        "stop",
        "max_tokens",
    }
)

_STOPS: dict[str, StopReason] = {"stop": "end", "length": "length"}


class _Server(Protocol):
    """The part of ``xllamacpp.Server`` we use, which ships no types."""

    listening_address: str

    def handle_metrics(self) -> str: ...

    def handle_chat_completions(
        self, body: dict[str, Any], callback: Callable[[dict[str, Any]], bool]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A running server and what it says about its model."""

    server: _Server
    calls: LoopbackCalls
    tokenizer: LlamaTokenizer
    window: int
    details: dict[str, str]
    shape: str
    """What its chat template takes."""


class _Relay:
    """Carries the parts of one reply from the worker thread to the event loop."""

    def __init__(self) -> None:
        self.stop = False
        self.worker: threading.Thread | None = None
        self.pieces: asyncio.Queue[dict[str, Any] | BackendError | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def put(self, item: dict[str, Any] | BackendError | None) -> None:
        """Called by the worker. If the loop is closed, nobody is listening."""
        try:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, item)
        except RuntimeError:
            self.stop = True

    def piece(self, item: dict[str, Any]) -> bool:
        """The callback; returns True to make llama.cpp stop.

        A process that is on its way out stops too: the interpreter waits for the worker.
        """
        if not (self.stop or not threading.main_thread().is_alive()):
            self.put(item)
        return self.stop or not threading.main_thread().is_alive()


class EmbeddedBackend:
    """A GGUF model in this process; a `Backend`."""

    hosted = False

    def __init__(self, spec: BackendSpec, *, counting: bool = False) -> None:
        """Loads and imports nothing yet.

        Args:
            spec: what the manifest says.
            counting: for counts of tokens alone, in half of the memory: no prompt fits.

        Raises:
            BadParameter: the manifest asks for something that this driver does not have.
        """
        for field in ("address", "key", "allow_http", "connect_timeout", "timeout"):
            if getattr(spec, field):
                raise BadParameter(
                    f"backend {spec.name}: the embedded driver has no {field}",
                    next_step=f"remove {field} from the manifest",
                )
        self.spec = spec
        self._counting = counting
        self.rehearsal = spec.model in CATALOGUE
        self._parameters = checked_parameters(spec, HONOURED)
        self._loaded: _Loaded | None = None
        self._opening = asyncio.Lock()
        self._replies: set[_Relay] = set()

    async def open(self) -> None:
        """Find, check and load the model in a thread.

        Raises:
            ModelMissing: no such file, or llama.cpp cannot load it.
            WrongChecksum: a model of the catalogue whose file is another one.
            DriverMissing: xllamacpp is not installed.
        """
        async with self._opening:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(_load, self.spec, counting=self._counting)

    async def close(self) -> None:
        """Stop running replies, wait for their threads, and free the model."""
        async with self._opening:
            loaded, self._loaded = self._loaded, None
            if loaded is None:
                return
            workers = [relay.worker for relay in self._replies if relay.worker]
            for relay in self._replies:
                relay.stop = True
            for worker in workers:
                await asyncio.to_thread(worker.join)
            loaded.calls.close()

    async def context_window(self) -> int:
        return (await self._open_model()).window

    async def tokenizer(self) -> Tokenizer:
        return (await self._open_model()).tokenizer

    async def fingerprint(self) -> Fingerprint:
        loaded = await self._open_model()
        short = loaded.details["digest"].removeprefix("sha256:")[:16]
        return Fingerprint(short, loaded.details, loaded.shape)

    @split_thoughts
    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """Stream one reply; concurrent requests are answered in turn.

        Raises:
            ContextExceeded: the prompt does not fit into the window; nothing was generated.
            StreamCut: the model was closed in the middle of the reply.
            BackendError: everything that ``open`` raises, and ProtocolError.
        """
        loaded = await self._open_model()
        relay = _Relay()
        relay.worker = threading.Thread(
            target=_generate, args=(loaded.server, self._body(request), relay), name="llama-reply"
        )
        self._replies.add(relay)
        del loaded
        relay.worker.start()
        reading = _Reading(self.spec.model)
        try:
            while (item := await relay.pieces.get()) is not None:
                for event in reading.events(item):
                    yield event
            yield reading.finished()
        finally:
            relay.stop = True
            self._replies.discard(relay)

    async def _open_model(self) -> _Loaded:
        await self.open()
        if self._loaded is None:
            raise Unreachable(f"backend {self.spec.name} was closed while it was opening")
        return self._loaded

    def _body(self, request: Request) -> dict[str, Any]:
        parameters = dict(self._parameters)
        limit = limit_of(request, parameters.pop("max_tokens", None))
        return {
            "messages": chat_messages(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            # A callback per step of the prompt: without it nothing can be stopped before the
            # first piece.
            "return_progress": True,
            "max_tokens": limit,
            # Reused prompt state changes the last bits of the logits, so the same seed would not
            # give the same text. Without a seed nobody can tell and the speed is wanted.
            "cache_prompt": "seed" not in parameters,
            **parameters,
        }


def _generate(server: _Server, body: dict[str, Any], relay: _Relay) -> None:
    """The worker thread of one reply; it always tells the relay when it ends."""
    try:
        server.handle_chat_completions(body, relay.piece)
    except Exception as error:  # noqa: BLE001 - a thread's error must reach who awaits the reply
        relay.put(ProtocolError(f"llama.cpp refused the request: {error}"))
    finally:
        relay.put(None)


class _Reading:
    """Turns llama.cpp's chunks, shaped like OpenAI's, into events."""

    def __init__(self, model: str) -> None:
        self._model = Path(model).name
        self._stop: StopReason | None = None
        self._usage = Usage(None, None)

    def events(self, item: dict[str, Any] | BackendError) -> list[StreamEvent]:
        """The events in one item. Raises the error that an item is or holds."""
        if isinstance(item, BackendError):
            raise item
        if "error" in item:
            raise _error_of(item["error"])
        usage = item.get("usage")
        if usage:
            self._usage = Usage(
                prompt=usage.get("prompt_tokens"),
                reply=usage.get("completion_tokens"),
                prompt_reused=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            )
        found: list[StreamEvent] = []
        for choice in item.get("choices") or ():
            delta = choice.get("delta") or {}
            if delta.get("reasoning_content"):
                found.append(Thinking(delta["reasoning_content"]))
            if delta.get("content"):
                found.append(Piece(delta["content"]))
            if choice.get("finish_reason"):
                self._stop = _STOPS.get(choice["finish_reason"], "unknown")
        return found

    def finished(self) -> Finished:
        """The final event. Raises StreamCut if llama.cpp stopped without an end mark."""
        if self._stop is None:
            raise StreamCut("the embedded model was stopped in the middle of its reply")
        return Finished(self._stop, self._usage, self._model)


def _error_of(error: object) -> BackendError:
    if not isinstance(error, dict):
        return ProtocolError(f"llama.cpp reports: {error}")
    if error.get("type") == "exceed_context_size_error":
        return ContextExceeded(int(error["n_prompt_tokens"]), int(error["n_ctx"]))
    said = str(error.get("message", error))
    if MAY_NAME_ROLES.search(said):
        return ShapeRefused(f"the model's template says: {said[:300]}", said, proven=True)
    return ProtocolError(f"llama.cpp reports: {said}")


def _load(spec: BackendSpec, *, counting: bool) -> _Loaded:
    # Before the file: nobody is to fetch a model that cannot run here.
    check_package()
    path = locate(spec.model)
    # Hashed before loading: the wrong file is never run, and reading it here, without Python's
    # lock, spares llama.cpp the disk while it holds that lock.
    known = CATALOGUE.get(spec.model)
    digest = verify(path, known) if known else model_digest(path)
    xllamacpp = import_xllamacpp()
    key = secrets.token_urlsafe(32)
    try:
        parameters = server_parameters(xllamacpp, spec, path, key, counting=counting)
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise ModelMissing(
            f"llama.cpp cannot load {path}",
            next_step="check that it is a complete GGUF file and fits in memory",
        ) from error
    _wait_for_loop(server)
    calls = LoopbackCalls(server.listening_address, key)
    props = calls.call("GET", "/props")
    given = int(props["default_generation_settings"]["n_ctx"])
    window = window_of(spec, path) if counting else given
    details = _details(digest, props, calls.call("GET", "/v1/models"), xllamacpp.__version__)
    tokenizer = LlamaTokenizer(calls, f"llama.cpp {path.name}")
    return _Loaded(server, calls, tokenizer, window, details, _shape(tokenizer))


def _shape(tokenizer: LlamaTokenizer) -> str:
    """The widest prompt shape that the template renders; empty if it takes all roles, or none."""
    for shape, messages in trials():
        with contextlib.suppress(ProtocolError):
            if is_whole(tokenizer.rendered(messages)):
                return shape_text(shape)
    return ""


def _wait_for_loop(server: _Server) -> None:
    """Return once the server's loop responds.

    Bug of xllamacpp 2026.10: its constructor returns before the loop runs, and the loop forgets
    that it was told to end before it began. A server let go in that moment waits for its loop
    without end, and with it the whole process, since the destructor holds Python's lock.
    """
    server.handle_metrics()


def _details(
    digest: str, props: dict[str, Any], models: dict[str, Any], version: str
) -> dict[str, str]:
    meta = models["data"][0].get("meta") or {}
    template = str(props.get("chat_template", ""))
    return {
        "digest": f"sha256:{digest}",
        "quantisation": str(props.get("model_ftype", "")),
        "template": f"sha256:{hashlib.sha256(template.encode()).hexdigest()}",
        "adapters": "",
        "context_length": str(meta.get("n_ctx_train", "")),
        "parameters": str(meta.get("n_params", "")),
        "runtime": f"xllamacpp {version}",
    }
