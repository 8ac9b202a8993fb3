"""HTTP limits, headers and errors, which the `ollama` package leaves to its caller.

The package (0.6) raises errors without the response's headers, takes ``OLLAMA_API_KEY`` from the
environment for whatever host it speaks to, cannot say ``truncate``, and leaves the cutting of a
stream into lines to httpx, which also cuts at U+0085, U+2028 and U+2029 inside a text. Hooks of its
httpx client mend all four; they serve the httpx2 client of our own questions, too. Protocol: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx
import httpx2

from perdure.backends.errors import (
    BackendError,
    BadParameter,
    ContextExceeded,
    FieldRefused,
    ModelLoading,
    ModelMissing,
    ProtocolError,
    StreamCut,
)
from perdure.backends.hosted.api_errors import role_refusal, texts_of
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.http import errors
from perdure.backends.http.error_body import read_server_message, without_prompt
from perdure.backends.http.errors import (
    AT_FAULT,
    TOO_LONG,
    NotOffered,
    error_body,
    error_line,
    is_compressed,
    lost_connection,
    status_error,
)
from perdure.backends.http.event_stream import json_objects
from perdure.backends.http.route import Route

CHAT = "/api/chat"

_NO_MODEL = re.compile(r"model .*not found|try pulling", re.IGNORECASE | re.DOTALL)
_FIELDS = {
    "think": re.compile(r"\bthink(ing)?\b", re.IGNORECASE),
    "truncate": re.compile(r"\btruncate\b"),
    "shift": re.compile(r"\bshift\b"),
}
"""Fields that a server may refuse and that can be left out, and how it speaks of each."""
_COUNTS = ("prompt_eval_count", "eval_count")
_NO_LOADING = re.compile(r"system memory|(unable|failed) to load|error loading", re.IGNORECASE)


class Wire:
    """Hooks for one backend's httpx clients."""

    def __init__(self, access: ServerAccess) -> None:
        """Raises DriverMissing."""
        self._access = access
        self.name, self.model = access.name, access.model
        self.window = 0
        """Tokens, once known; for the errors' texts."""
        self._key = access.secret
        self._route = Route(access.address, access.name, access.timeouts.connect)
        self._sent: dict[str, Any] = {}
        """The last request for a reply."""
        self._tokens = 0
        """What the last reply may have."""
        self.without: tuple[str, ...] = ()
        """Fields that the server refuses."""

    def client_settings(self, http: Any) -> dict[str, Any]:  # noqa: ANN401 - the two are alike
        """Keyword arguments for httpx clients."""
        hooks = {"request": [self.send], "response": [self.receive]}
        return {**self._route.settings(http), "event_hooks": hooks}

    async def send(self, request: httpx.Request | httpx2.Request) -> None:
        """Runs before a request leaves: sets this backend's key or none; forbids silent cutting."""
        request.headers.pop("authorization", None)
        if self._key:
            request.headers["authorization"] = f"Bearer {self._key}"
        request.headers["accept-encoding"] = "identity"
        if isinstance(request, httpx.Request) and request.url.path.endswith(CHAT):
            # Ollama 0.12.6 and newer: a prompt that does not fit is an error instead of losing its
            # front, and so is a reply that would push the front out. Older ones ignore both.
            fields = {**json.loads(request.content), "truncate": False, "shift": False}
            fields = {name: value for name, value in fields.items() if name not in self.without}
            self._sent = fields
            options = fields.get("options") or {}
            self._tokens = int(options.get("num_predict") or self.window)
            body = json.dumps(fields, ensure_ascii=False).encode()
            request.stream = httpx.ByteStream(body)
            request.headers["content-length"] = str(len(body))
        await self._route.pin(request)

    async def receive(self, response: httpx.Response | httpx2.Response) -> None:
        """Runs before an answer is read: raises unless it is 2xx, and limits what follows."""
        if response.is_success and is_compressed(response.headers):
            await response.aclose()
            raise ProtocolError(f"{self.name} sent a compressed answer, which was not requested")
        if response.is_success:
            # Our own questions are read by `bounded` where they are asked.
            if isinstance(response, httpx.Response) and isinstance(
                response.stream, httpx.AsyncByteStream
            ):
                if response.request.url.path.endswith(CHAT):
                    limit = errors.stream_limit(self._tokens)
                    response.stream = _Lines(response.stream, self.name, limit)
                else:
                    response.stream = _Bounded(response.stream, self.name)
            return
        body = await error_body(response)
        # A 404 without Ollama's form may be any web server's, and tells of no model.
        bare = response.status_code == HTTPStatus.NOT_FOUND and not body.startswith(b"{")
        if bare and response.request.url.path.endswith(CHAT):
            raise ProtocolError(
                f"{self.name} has no {CHAT}",
                next_step="update Ollama to 0.1.14 or newer, and check that Ollama runs there",
            )
        text = "" if bare else read_server_message(body).words
        error = self.error(response.status_code, text, response.headers)
        asking = not response.request.url.path.endswith(CHAT)
        if asking and not isinstance(error, ModelLoading) and not _NO_MODEL.search(text):
            raise NotOffered(error, response.status_code) from error
        raise error

    def error(
        self, status: int, text: str, headers: Mapping[str, str] | None = None
    ) -> BackendError:
        """The error for a status and the server's words; 200 for an error in mid-stream."""
        text = error_line(text, self._key)
        return self._by_words(status, text) or self._by_status(status, text, headers or {})

    def _by_words(self, status: int, text: str) -> BackendError | None:
        if TOO_LONG.search(text):
            return ContextExceeded(None, self.window)
        if _NO_MODEL.search(text) or (status == HTTPStatus.NOT_FOUND and text):
            return ModelMissing(
                f"{self.name} has no model {self.model}",
                next_step=f"download it with: ollama pull {self.model}",
            )
        if _NO_LOADING.search(text):
            return ModelMissing(
                f"{self.name} cannot load {self.model}: {text}",
                next_step="choose a smaller model or context_window",
            )
        if "does not support chat" in text:
            return BadParameter(
                f"{self.name}: {self.model} is not a chat model", next_step="choose another"
            )
        return self._refusal(status, text)

    def _refusal(self, status: int, text: str) -> BackendError | None:
        """A refusal that a different request may avoid."""
        said = f"{self.name} says: {text}"
        # Some servers repeat what was said to them, and that may speak of fields and roles too.
        for words, proven in ((without_prompt(text, texts_of(self._sent)), True), (text, False)):
            for name, mention in _FIELDS.items():
                if status in AT_FAULT and name in self._sent and mention.search(words):
                    return FieldRefused(said, name, "try another model", proven=proven)
            refused = role_refusal(said, words, status, name=self.name, model=self.model)
            if refused is not None:
                refused.proven = refused.proven and proven
                return refused
        return None

    def _by_status(self, status: int, text: str, headers: Mapping[str, str]) -> BackendError:
        return status_error(
            status,
            f"{self.name} says: {text}" if text else f"{self.name} answered with status {status}",
            headers,
            window=self.window,
            key_step="check the manifest's key, or: ollama signin",
            protocol_step="check that Ollama runs there",
        )

    def transport_error(self, error: Exception, *, heard: bool = False) -> BackendError:
        """The error for a request that found no server, or lost it."""
        self._route.forget()
        start = "start it with: ollama serve"
        return lost_connection(error, self.name, self._access.address.url, heard=heard, start=start)


class _Lines(httpx.AsyncByteStream):
    """A reply's bytes, one JSON object a line, with limits on the whole and on each line.

    What imitations add is passed over: a byte order mark, comments, pings, heads of other formats.
    """

    def __init__(self, stream: httpx.AsyncByteStream, name: str, limit: int) -> None:
        self._stream = stream
        self._name = name
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        rest, total = bytearray(), 0
        async for block in self._stream:
            total += len(block)
            whole, end, tail = bytes(block).rpartition(b"\n")
            if not end:
                rest += tail
            else:
                yield _objects_of(bytes(rest) + whole)
                rest = bytearray(tail)
            if len(rest) > errors.ANSWER_LIMIT or total > self._limit:
                raise ProtocolError(f"{self._name} sent an endless answer")
        if rest:
            # A server that dies without chunked encoding looks like one that is done.
            if rest.startswith(b"{") and not _is_json(bytes(rest)):
                raise StreamCut(f"{self._name} stopped in the middle of a line")
            yield _objects_of(bytes(rest))

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Bounded(httpx.AsyncByteStream):
    """The bytes of an answer, up to a limit."""

    def __init__(self, stream: httpx.AsyncByteStream, name: str) -> None:
        self._stream = stream
        self._name = name

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in errors.bounded(self._stream, self._name):
            yield block

    async def aclose(self) -> None:
        await self._stream.aclose()


def _objects_of(lines: bytes) -> bytes:
    """The JSON objects of some lines, escaped so that httpx sees no line end inside a text."""
    written = []
    for line in lines.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        found, rest = json_objects(line.decode("utf-8", "replace"))
        written += [json.dumps(_whole(each)).encode() + b"\n" for each in found]
        if rest.startswith("{"):
            # It may have had words: the package finds out that it is broken.
            written.append(rest.encode() + b"\n")
    return b"".join(written)


def _whole(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part without odd fields, for which the package would refuse a whole reply.

    The last part of an Ollama of 2023 has no message; imitations have fields of other types.
    """
    if part.get("error"):
        complaint = read_server_message(part["error"])
        return {"error": complaint.text or "an error without words"}
    message = part.get("message")
    is_part = "message" in part or part.get("done") is True
    if not is_part or not isinstance(message, dict | None):
        return part
    said = message if isinstance(message, dict) else {}
    calls = said.get("tool_calls")
    return {
        **{key: part[key] for key in ("model", "done_reason") if isinstance(part.get(key), str)},
        **{key: count for key in _COUNTS if isinstance(count := part.get(key), int)},
        "done": part.get("done") is True,
        "message": {
            "role": "assistant",
            **{key: said[key] for key in ("content", "thinking") if isinstance(said.get(key), str)},
            **({"images": said["images"]} if said.get("images") else {}),
            "tool_calls": [_call(each) for each in calls] if isinstance(calls, list) else None,
        },
    }


def _call(call: object) -> Mapping[str, Any]:
    """A tool call, reduced to its name."""
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return {"function": {"name": name if isinstance(name, str) else "a tool", "arguments": {}}}


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
