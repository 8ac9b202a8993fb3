"""The lease of the conversation that a session writes, held from turn to turn."""

from __future__ import annotations

from perdure.git.leases import Lease
from perdure.git.repository.repository import Repository


class ConversationLease:
    """Holds the lease of one conversation at a time, or none."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.held: Lease | None = None
        self._conversation = ""

    def acquire(self, conversation: str) -> Lease | None:
        """The lease of a conversation, held or new; None if another process has it."""
        if self.held is not None and self._conversation == conversation:
            return self.held
        held = self._repo.acquire(conversation)
        if held is not None:
            self.release()
            self.held, self._conversation = held, conversation
        return held

    def release(self) -> None:
        """Let go of the conversation."""
        if self.held is not None:
            self.held.release()
        self.held, self._conversation = None, ""
