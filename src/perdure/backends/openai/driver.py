"""The OpenAI driver: a model behind any server with ``/v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from perdure.backends.errors import BadParameter
from perdure.backends.hosted.backend import HostedBackend, api_address
from perdure.backends.hosted.request_form import limit_field
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.protocol import BackendSpec, Request
from perdure.backends.tokens.llama import chat_messages

if TYPE_CHECKING:
    from perdure.backends.hosted.sdk_server import SdkServer
    from perdure.backends.http.timeouts import Timeouts

DEFAULT_ADDRESS = "https://api.openai.com/v1"
DEFAULT_WINDOW = 8192
"""Where neither the manifest nor the server's list of models names one."""

_OPENAI = frozenset({"temperature", "top_p", "seed", "stop", "max_tokens"})
"""What the protocol's own documentation has."""
_MORE = frozenset({"top_k", "min_p", "repeat_penalty"})
"""What servers of open models have beside it."""


class OpenAIBackend(HostedBackend):
    """A model on a server that speaks OpenAI's protocol; a `Backend`."""

    def __init__(self, spec: BackendSpec, timeouts: Timeouts | None = None) -> None:
        """Imports nothing and contacts nothing yet.

        Raises:
            BadParameter: the manifest asks for something that this driver does not have, or names
                an address that cannot be used.
        """
        address = api_address(
            spec, DEFAULT_ADDRESS, "/v1", "/chat/completions", "/completions", "/models",
            versioned=True,
        )  # fmt: skip
        self._own = urlsplit(address.url).hostname == "api.openai.com"
        super().__init__(
            spec,
            timeouts,
            address=address,
            honoured=_OPENAI if self._own else _OPENAI | _MORE,
            default_window=DEFAULT_WINDOW,
        )
        if self._own and self._parameters.get("temperature", 0) > 2:
            raise BadParameter(
                f"backend {spec.name}: temperature is {self._parameters['temperature']}",
                next_step="use a number from 0 to 2",
            )

    def _body(self, request: Request, limit: int) -> dict[str, Any]:
        given = dict(self._parameters)
        given.pop("max_tokens", None)
        more = {name: given.pop(name) for name in _MORE & given.keys()}
        if "repeat_penalty" in more:
            # llama.cpp's name, and that of vLLM and OpenRouter: each passes over the other's.
            more["repetition_penalty"] = more["repeat_penalty"]
        # OpenAI's newer models refuse the old name, other servers do not know the new one.
        usual = "max_completion_tokens" if self._own else "max_tokens"
        named = limit_field(request.without, usual)
        body = {
            "model": self.spec.model,
            "messages": chat_messages(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **({named: limit} if named else {}),
            **given,
            **more,
        }
        left_out = {*request.without}
        if "stream" in left_out:
            # A server that cannot stream answers in one piece, and has no options for streams.
            left_out.add("stream_options")
        return {name: value for name, value in body.items() if name not in left_out}

    def _package(self) -> Callable[[ServerAccess], SdkServer]:
        from perdure.backends.openai.server import OpenAIServer

        return OpenAIServer
