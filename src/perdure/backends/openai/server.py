"""Talk to one server of OpenAI's protocol, using the `openai` package.

Importing this takes more than a second, which the package needs for its classes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from typing import Any

import openai
from openai.types.chat import ChatCompletionChunk

from perdure.backends.errors import BackendError, ProtocolError, ShapeRefused
from perdure.backends.hosted.backend import json_object, json_text, token_count
from perdure.backends.hosted.sdk_server import Reading, SdkServer
from perdure.backends.hosted.sdk_wire import PLACEHOLDER, SdkWire
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.http.error_body import is_error, read_server_message
from perdure.backends.http.errors import NotOffered
from perdure.backends.protocol import (
    Finished,
    OfferedModel,
    Piece,
    StopReason,
    StreamEvent,
    Thinking,
    Usage,
)
from perdure.backends.roles.template import is_whole, jinja_shape, shape_text, trials
from perdure.backends.tokens.llama import chat_messages

_STOPS: dict[str, StopReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "content_filter": "refused",
    "safety": "refused",
    "prohibited_content": "refused",
    "recitation": "refused",
    "error": "cancelled",
    "abort": "cancelled",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "network_error": "cancelled",
    "insufficient_system_resource": "cancelled",
}
"""Reasons other than an ordinary end, which has many names: of OpenAI, Mistral, Gemini's and
Zhipu's compatible faces, OpenRouter, vLLM and DeepSeek."""
_LISTS = ("data", "models", "result", "items")
_NAMES = ("id", "name", "model")
# vLLM, llama.cpp, OpenRouter and LM Studio each have their own.
_WINDOWS = ("context_length", "max_model_len", "max_context_length", "context_window", "n_ctx")


class OpenAIServer(SdkServer):
    """The connections of one backend to its server."""

    def __init__(self, access: ServerAccess) -> None:
        """Contacts nothing yet."""
        super().__init__(access)
        self._renders = False
        """It is a llama.cpp, whose template can be asked."""
        version = access.address.version
        self._sdk = openai.AsyncOpenAI(
            api_key=PLACEHOLDER,
            base_url=access.address.url,
            default_query={"api-version": version} if version else None,
            max_retries=0,
            timeout=None,
            http_client=self.wire.client(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()

    async def _stated_window(self) -> int:
        """The window in the model's entry in the list of models."""
        listed = await self._listed()
        own = next((each for each in listed if _name(each) == self._access.model), {})
        # A llama.cpp with one model takes any name for it.
        here = own or (listed[0] if len(listed) == 1 else {})
        # One of several models that a llama.cpp swaps would be loaded for it.
        swapped = "status" in here and json_object(here.get("status")).get("value") != "loaded"
        self._renders = here.get("owned_by") == "llamacpp" and not swapped
        return _window(here if self._renders else own)

    async def models(self) -> list[OfferedModel]:
        """The list of models. Raises BackendError."""
        try:
            listed = await self._listed()
        except NotOffered as refused:
            refused.check()
            return []
        return [
            OfferedModel(
                _name(each),
                # llama.cpp's, of the file.
                token_count(json_object(each.get("meta")).get("size")) or 0,
                _window(each),
                # A llama.cpp that swaps models says so.
                loaded=json_object(each.get("status")).get("value") == "loaded",
            )
            for each in listed
        ]

    async def _listed(self) -> list[Mapping[str, Any]]:
        """The list's entries: under ``data``, under another key, or in a bare list.

        Raises:
            NotOffered: the server refuses or fails to list them.
            BackendError: no answer; or ProtocolError, one that is no list of models.
        """
        answer = await self.wire.answer(self._sdk.get("/models", cast_to=object))
        listed = answer
        if isinstance(answer, dict):
            listed = next(
                (answer[key] for key in _LISTS if isinstance(answer.get(key), list)), None
            )
        if not isinstance(listed, list):
            raise ProtocolError(
                f"{self._access.name} at {self._access.address.url} did not send a list of models",
                next_step="check the manifest's address; most end in /v1",
            )
        return [{"id": each} if isinstance(each, str) else json_object(each) for each in listed]

    async def shape(self) -> str:
        """What the model's template accepts, if a llama.cpp answers: it renders without a reply.

        (https://github.com/ggml-org/llama.cpp/tree/master/tools/server, POST /apply-template; an
        older one shows its template at GET /props.)
        """
        if not self._renders:
            return ""
        root = self._access.address.url.removesuffix("/v1")
        for shape, messages in trials():
            body = {"model": self._access.model, "messages": chat_messages(messages)}
            asking = self._sdk.post(f"{root}/apply-template", body=body, cast_to=object)
            try:
                answer = await self.wire.answer(asking)
            except NotOffered as refused:
                if isinstance(refused.why, ShapeRefused):
                    continue
                return await self._shown_shape(f"{root}/props")
            except BackendError:
                return ""
            if is_whole(json_object(answer).get("prompt")):
                return shape_text(shape)
        return ""

    async def _shown_shape(self, address: str) -> str:
        """What a llama.cpp's template accepts, if it shows one; else empty."""
        try:
            answer = await self.wire.answer(self._sdk.get(address, cast_to=object))
        except (NotOffered, BackendError):
            return ""
        return jinja_shape(json_text(json_object(answer).get("chat_template")))

    def _key_headers(self, secret: str) -> dict[str, str]:
        # Azure's own header, which its older addresses want.
        if self._access.address.version:
            return {"api-key": secret}
        return {"authorization": f"Bearer {secret}"}

    def _asking(self, body: dict[str, Any]) -> Awaitable[object]:
        # Read as a stream whatever the body asks for: the wire makes one of a whole answer.
        return self._sdk.post(
            "/chat/completions",
            body=body,
            cast_to=ChatCompletionChunk,
            stream=True,
            stream_cls=openai.AsyncStream[ChatCompletionChunk],
        )

    def _reading(self) -> Reading:
        return _Chunks(self.wire, self._access.name)


class _Chunks(Reading):
    """Reads chunks of ``/v1/chat/completions``."""

    def __init__(self, wire: SdkWire, name: str) -> None:
        super().__init__(wire, name)
        self._usage = Usage(None, None)
        self._model = ""
        self._system_fingerprint = ""
        self._drew = False
        self._tool = ""
        self._index: object = None
        """Of the choice that is heard."""

    def _found(self, data: Mapping[str, Any]) -> list[StreamEvent]:
        if is_error(data):
            raise self._error(data)
        self._model = json_text(data.get("model")) or self._model
        self._system_fingerprint = (
            json_text(data.get("system_fingerprint")) or self._system_fingerprint
        )
        usage = json_object(data.get("usage"))
        if usage:
            self._usage = _usage(usage)
        choices = data.get("choices")
        if choices is None and not usage:
            self._aside = data if read_server_message(data).words else self._aside
        found: list[StreamEvent] = []
        for choice in map(json_object, choices if isinstance(choices, list) else (choices,)):
            # One reply was asked for; a second one is not to be mixed into it.
            index = choice.get("index") or 0
            self._index = index if self._index is None else self._index
            if str(index) == str(self._index):
                found += self._choice(choice)
        return found

    def _choice(self, choice: Mapping[str, Any]) -> list[StreamEvent]:
        if choice.get("error") and self.stop is None:
            raise self._error({"error": choice["error"]})
        delta = json_object(choice.get("delta"))
        # A whole answer has a message, also where it stands behind its pieces.
        whole_one = json_object(choice.get("message")) if not (delta or self._replied) else {}
        delta = delta or whole_one
        found: list[StreamEvent] = [Thinking(thought)] if (thought := _thought(delta)) else []
        content = delta.get("content") or delta.get("refusal")
        if "delta" not in choice and "message" not in choice:
            # A server that completes texts.
            content = choice.get("text")
        found += self._content(content, thinks=_is_thought(delta))
        # OpenRouter's place for what a model draws.
        self._drew = self._drew or bool(delta.get("images"))
        calls = delta.get("tool_calls")
        for call in (*(calls if isinstance(calls, list) else ()), delta.get("function_call")):
            asked = json_object(json_object(call).get("function")) or json_object(call)
            self._tool = self._tool or json_text(asked.get("name"))
        reason = _reason(choice)
        if reason and self.stop in {None, "end"}:
            self.stop = _stop(reason)
        return found

    def _content(self, content: object, *, thinks: bool) -> list[StreamEvent]:
        """A text, or parts, which Mistral sends for a model that thinks or draws."""
        parts = content if isinstance(content, list) else [content]
        found: list[StreamEvent] = []
        for part in parts:
            entry = json_object(part)
            kind = json_text(entry.get("type"))
            self._drew = self._drew or "image" in kind
            thoughts = entry.get("thinking") or entry.get("reasoning") or entry.get("summary")
            if thinks or thoughts or _THINKS.search(kind):
                thought = _words_in(thoughts or part)
                found += [Thinking(thought)] if thought else []
            elif said := json_text(part) or json_text(entry.get("text")):
                self._replied = True
                found.append(Piece(said))
        return found

    def _end(self, stop: StopReason) -> Finished:
        if self._drew:
            raise ProtocolError(
                f"{self._name} sent a picture, which this version cannot save",
                kept="the words of the reply are kept",
                next_step="ask for words, or choose a model that does not draw",
            )
        return Finished(stop, self._usage, self._model, self._system_fingerprint, self._tool)


_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "thought")
"""DeepSeek's and llama.cpp's name, OpenRouter's, and those of gateways."""
_THINKS = re.compile("think|thought|reasoning")


def _thought(delta: Mapping[str, Any]) -> str:
    """Thoughts beside the words: one text, or parts as in OpenRouter and Snowflake."""
    named = (_words_in(delta.get(key)) for key in _THOUGHTS)
    return next(filter(None, named), "") or _words_in(delta.get("reasoning_details"))


def _is_thought(delta: Mapping[str, Any]) -> bool:
    """Whether Gemini's compatible API marks the content itself as a thought."""
    return json_object(json_object(delta.get("extra_content")).get("google")).get("thought") is True


def _words_in(value: object) -> str:
    """A text, or the texts of its parts."""
    match value:
        case list():
            return "".join(map(_words_in, value))
        case dict():
            inner = (value.get(key) for key in ("text", "content", "thinking", "summary"))
            return next(filter(None, map(_words_in, inner)), "")
    return json_text(value)


def _reason(choice: Mapping[str, Any]) -> str:
    """Why a choice ended; empty if it continues."""
    reason = choice.get("finish_reason", choice.get("finishReason"))
    if isinstance(reason, dict):
        # SGLang's own form.
        reason = reason.get("type")
    return "" if reason in (None, "null", "None") else str(reason)


def _stop(reason: str) -> StopReason:
    """Why a reply ended; an unknown reason counts as an end."""
    plain = reason.lower()
    if plain.startswith("content_filter"):
        # Gemini's compatible face adds what was found.
        return "refused"
    return _STOPS.get(plain, "end")


def _name(entry: Mapping[str, Any]) -> str:
    """A model's name in its entry, under any key that servers use."""
    return next((name for key in _NAMES if (name := json_text(entry.get(key)))), "")


def _window(entry: Mapping[str, Any]) -> int:
    shape_text = {**json_object(entry.get("meta")), **entry}
    return next((w for key in _WINDOWS if (w := token_count(shape_text.get(key)))), 0)


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = json_object(usage.get("prompt_tokens_details"))
    return Usage(
        token_count(usage.get("prompt_tokens")),
        token_count(usage.get("completion_tokens")),
        token_count(details.get("cached_tokens")),
    )
