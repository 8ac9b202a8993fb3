"""A backend that refuses every request: unconfirmed, or impossible to create."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from perdure.backends.errors import BackendError, NotConfirmed
from perdure.backends.protocol import BackendSpec, Fingerprint, Request, StreamEvent, Tokenizer


class DisabledBackend:
    """Takes a backend's place; a `Backend` that reads no key and opens no connection."""

    hosted = False
    """What nobody confirmed gives no consent to other hosted backends."""
    rehearsal = False

    def __init__(self, spec: BackendSpec, problem: BackendError | None = None) -> None:
        """``problem`` is the error it raises; by default that it is not confirmed."""
        self.spec = spec
        self.problem = problem or NotConfirmed(
            spec.disabled,
            kept="nothing was sent",
            next_step=f"perdure backend confirm {spec.name}",
        )
        """Why it cannot be used."""

    async def open(self) -> None:
        """Raise NotConfirmed or its problem, as every other method but `close` does."""
        raise self.problem

    async def close(self) -> None:
        """Do nothing: nothing was opened."""

    async def context_window(self) -> int:
        raise self.problem

    async def tokenizer(self) -> Tokenizer:
        raise self.problem

    async def fingerprint(self) -> Fingerprint:
        raise self.problem

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:  # noqa: ARG002
        raise self.problem
