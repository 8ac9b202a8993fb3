"""Exact token counts from llama.cpp's own tokenizer and chat template, over loopback.

xllamacpp offers no tokenizer in-process. Its server has `/tokenize` and `/apply-template`, which
answer while a reply is being generated, in about a millisecond; counts of texts are remembered,
because the same turns are counted again for every prompt.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

from perdure.backends.errors import ProtocolError, Unreachable
from perdure.backends.protocol import PromptMessage, sendable
from perdure.backends.roles.shape import with_speaker

REMEMBERED = 4096
"""Texts whose counts are kept, by hash; about 0.5 MB at most."""


def chat_messages(messages: tuple[PromptMessage, ...]) -> list[dict[str, str]]:
    """Messages as chat templates take them: these know no speakers, so a name leads its text."""
    return [{"role": message.role, "content": with_speaker(message)} for message in messages]


class LoopbackCalls:
    """JSON calls to one llama.cpp server on loopback, over one kept connection."""

    def __init__(self, address: str, key: str) -> None:
        self._address = urlsplit(address).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = False

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises Unreachable after ``close``, ProtocolError if the answer is not JSON."""
        payload = json.dumps(body).encode() if body is not None else None
        with self._lock:
            if self._closed:
                raise Unreachable("the embedded model is closed")
            status, answer = self._exchange(method, path, payload)
        try:
            decoded = json.loads(answer)
        except ValueError as error:
            raise ProtocolError(f"llama.cpp answered {path} with {status} and no JSON") from error
        if status != http.client.OK or not isinstance(decoded, dict):
            raise ProtocolError(f"llama.cpp answered {path} with {status}: {answer[:200]!r}")
        return decoded

    def _exchange(self, method: str, path: str, payload: bytes | None) -> tuple[int, bytes]:
        # The server drops a connection after 5 idle seconds or 100 requests: one fresh try then.
        for fresh in (False, True):
            if self._connection is None or fresh:
                self._drop()
                self._connection = http.client.HTTPConnection(self._address, timeout=30)
            try:
                self._connection.request(method, path, payload, self._headers)
                response = self._connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                failure = error
        raise Unreachable(f"llama.cpp did not answer on loopback: {failure}") from failure

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection; later calls raise Unreachable."""
        with self._lock:
            self._closed = True
            self._drop()


class LlamaTokenizer:
    """The `Tokenizer` of a loaded model; usable from any thread."""

    exact = True

    def __init__(self, calls: LoopbackCalls, name: str) -> None:
        self.name = name
        self._calls = calls
        self._counts: OrderedDict[int, int] = OrderedDict()

    def count(self, text: str) -> int:
        """Tokens of a text on its own. Raises BackendError once the backend is closed."""
        key = hash(text)
        known = self._counts.get(key)
        if known is None:
            known = self._ask(text, special=False)
            self._counts[key] = known
            if len(self._counts) > REMEMBERED:
                self._counts.popitem(last=False)
        return known

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Tokens of the prompt exactly as the model reads it. Raises BackendError."""
        return self._ask(self.rendered(messages), special=True)

    def rendered(self, messages: tuple[PromptMessage, ...]) -> str:
        """The prompt that the chat template makes of the messages.

        Raises:
            ProtocolError: the template does not take them.
            Unreachable: the backend was closed.
        """
        answer = self._calls.call("POST", "/apply-template", {"messages": chat_messages(messages)})
        prompt = answer.get("prompt")
        if not isinstance(prompt, str):
            raise ProtocolError("llama.cpp gave no prompt for these messages")
        return prompt

    def _ask(self, text: str, *, special: bool) -> int:
        body = {"content": sendable(text), "add_special": special, "parse_special": True}
        tokens = self._calls.call("POST", "/tokenize", body).get("tokens")
        if not isinstance(tokens, list):
            raise ProtocolError("llama.cpp gave no tokens for a text")
        return len(tokens)
