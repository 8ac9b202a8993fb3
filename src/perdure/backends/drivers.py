"""Create the backend for a spec; a driver's module is imported only when it is needed."""

from __future__ import annotations

from perdure.backends.errors import DriverMissing
from perdure.backends.protocol import Backend, BackendSpec

DRIVERS = ("anthropic", "embedded", "ollama", "openai")
"""The names that a manifest's ``driver`` may have in this version."""


def make_counter(spec: BackendSpec) -> Backend:
    """A backend that only counts tokens: a model in this process then takes less memory.

    Raises:
        DriverMissing, BadParameter: as for `make_backend`.
    """
    if spec.driver != "embedded" or spec.disabled:
        return make_backend(spec)
    from perdure.backends.embedded.driver import EmbeddedBackend

    return EmbeddedBackend(spec, counting=True)


def make_backend(spec: BackendSpec) -> Backend:
    """The unopened backend for a spec; one that refuses if the spec is disabled.

    Raises:
        DriverMissing: this version has no such driver.
        BadParameter: the driver does not have a field or parameter of the spec.
    """
    if spec.disabled:
        from perdure.backends.disabled import DisabledBackend

        return DisabledBackend(spec)
    match spec.driver:
        case "embedded":
            # Pulls in asyncio and http.client, which commands that talk to no model do without.
            from perdure.backends.embedded.driver import EmbeddedBackend

            return EmbeddedBackend(spec)
        case "ollama":
            from perdure.backends.ollama.driver import OllamaBackend

            return OllamaBackend(spec)
        case "anthropic":
            from perdure.backends.anthropic.driver import AnthropicBackend

            return AnthropicBackend(spec)
        case "openai":
            from perdure.backends.openai.driver import OpenAIBackend

            return OpenAIBackend(spec)
    raise DriverMissing(
        f"backend {spec.name} needs the driver {spec.driver!r}, which this version does not have",
        next_step=f"use one of: {', '.join(DRIVERS)}",
    )
