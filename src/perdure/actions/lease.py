"""The lease of the conversation that a session writes, held from turn to turn."""

from __future__ import annotations

from perdure.git.leases import Lease
from perdure.git.repository.repository import Repository


class ConversationLease:
    """Holds the lease of one conversation at a time, or none."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.hand: Lease | None = None
        self._conversation = ""

    def take(self, conversation: str) -> Lease | None:
        """The lease of a conversation, held or new; None if another process has it."""
        if self.hand is not None and self._conversation == conversation:
            return self.hand
        hand = self._repo.acquire(conversation)
        if hand is not None:
            self.release()
            self.hand, self._conversation = hand, conversation
        return hand

    def release(self) -> None:
        """Let go of the conversation."""
        if self.hand is not None:
            self.hand.release()
        self.hand, self._conversation = None, ""
