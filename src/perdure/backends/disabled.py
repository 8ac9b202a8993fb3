"""A backend that refuses every request: unconfirmed, or impossible to create."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from perdure.backends.errors import BackendError, NotConfirmed
from perdure.backends.protocol import BackendSpec, Fingerprint, Request, StreamEvent, Tokenizer


class DisabledBackend:
    """Takes a backend's place; a `Backend` that reads no key and opens no connection."""

    def __init__(self, spec: BackendSpec, problem: BackendError | None = None) -> None:
        """``problem`` is the error it raises; by default that it is not confirmed."""
        self._spec = spec
        self._problem = problem

    @property
    def spec(self) -> BackendSpec:
        return self._spec

    @property
    def hosted(self) -> bool:
        """False: what nobody confirmed gives no consent to other hosted backends."""
        return False

    @property
    def rehearsal(self) -> bool:
        return False

    @property
    def problem(self) -> BackendError:
        """Why it cannot be used."""
        return self._refusal()

    async def open(self) -> None:
        """Raise NotConfirmed or its problem, as every other method but `close` does."""
        raise self._refusal()

    async def close(self) -> None:
        """Do nothing: nothing was opened."""

    async def context_window(self) -> int:
        raise self._refusal()

    async def tokenizer(self) -> Tokenizer:
        raise self._refusal()

    async def fingerprint(self) -> Fingerprint:
        raise self._refusal()

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:  # noqa: ARG002
        raise self._refusal()

    def _refusal(self) -> BackendError:
        return self._problem or NotConfirmed(
            self._spec.disabled,
            kept="nothing was sent",
            next_step=f"perdure backend confirm {self._spec.name}",
        )
