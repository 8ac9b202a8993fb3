"""The Anthropic driver: a model behind a server with ``/v1/messages``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from perdure.backends.errors import BadParameter
from perdure.backends.hosted.backend import HostedBackend, api_address
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.protocol import BackendSpec, PromptMessage, Request
from perdure.backends.roles.shape import ANTHROPIC_SHAPE, fold
from perdure.backends.tokens.llama import chat_messages

if TYPE_CHECKING:
    from perdure.backends.anthropic.server import AnthropicServer
    from perdure.backends.hosted.sdk_server import SdkServer
    from perdure.backends.http.timeouts import Timeouts

DEFAULT_ADDRESS = "https://api.anthropic.com"
DEFAULT_WINDOW = 200_000
"""Tokens; every model of this provider has them, where the list of models names no other number."""


_WITH_SAMPLING = {"anthropic-version": "2023-06-01"}
_SAMPLING = ("temperature", "top_p", "top_k")


class AnthropicBackend(HostedBackend):
    """A model on a server that speaks Anthropic's protocol; a `Backend`."""

    def __init__(self, spec: BackendSpec, timeouts: Timeouts | None = None) -> None:
        """Imports nothing and contacts nothing yet.

        Raises:
            BadParameter: the manifest asks for something that this driver does not have, or names
                an address that cannot be used.
        """
        address = api_address(spec, DEFAULT_ADDRESS, "", "/v1/messages", "/v1/models")
        # The package adds it.
        address = replace(address, url=address.url.removesuffix("/v1"))
        super().__init__(
            spec,
            timeouts,
            address=address,
            honoured=(*_SAMPLING, "stop", "max_tokens"),
            default_window=DEFAULT_WINDOW,
        )
        if self._parameters.get("temperature", 0) > 1:
            raise BadParameter(
                f"backend {spec.name}: temperature is {self._parameters['temperature']}",
                next_step="use a number from 0 to 1, the range of this protocol",
            )

    async def count(self, messages: tuple[PromptMessage, ...]) -> int:
        """The provider's own token count of a prompt, which it sees; only for an explicit check.

        Raises:
            BackendError: as for a reply.
        """
        system, turns = folded(messages)
        body = {"model": self.spec.model, "messages": turns}
        server = cast("AnthropicServer", (await self._open_server()).server)
        return await server.count({**body, "system": system} if system else body)

    def _body(self, request: Request, limit: int) -> dict[str, Any]:
        given = dict(self._parameters)
        given.pop("max_tokens", None)
        if "stop" in given:
            given["stop_sequences"] = given.pop("stop")
        if given.get("top_k") == 0:
            # "No limit" is said by saying nothing.
            del given["top_k"]
        for refused in request.without:
            given.pop(refused, None)
        more = {name: given.pop(name) for name in _SAMPLING if name in given}
        system, messages = folded(request.messages)
        if "cache_control" in request.without:
            system = [{"type": "text", "text": each["text"]} for each in system]
        return {
            "model": self.spec.model,
            "max_tokens": limit,
            "messages": messages,
            "stream": True,
            **({"system": system} if system else {}),
            **given,
            # Version 2026-10-21, which the package (2.12) sends, refuses these for every model; in
            # the one before, a model that does not have them says so itself.
            **({"extra_body": more, "extra_headers": _WITH_SAMPLING} if more else {}),
        }

    def _package(self) -> Callable[[ServerAccess], SdkServer]:
        from perdure.backends.anthropic.server import AnthropicServer

        return AnthropicServer


def folded(
    messages: tuple[PromptMessage, ...],
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A prompt in this protocol's form: the system text apart, user and assistant in turns.

    The system text is marked for the provider's cache.
    """
    sent = chat_messages(fold(messages, ANTHROPIC_SHAPE))
    system = sent.pop(0)["content"] if sent and sent[0]["role"] == "system" else ""
    if sent[-1]["role"] == "assistant":
        # White space at the end of a reply that is to be gone on with is refused.
        sent[-1]["content"] = sent[-1]["content"].rstrip()
    cached = {"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}
    return ([cached] if system else []), sent
