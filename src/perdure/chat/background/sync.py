"""Lets the background sync what a conversation brings, as companion.yaml's ``sync`` says."""

from __future__ import annotations

from perdure.companion.config.settings import CompanionSettings
from perdure.git.remotes import background
from perdure.git.remotes.settings import list_remotes
from perdure.git.repository.repository import Repository


def sync_after_turn(repo: Repository, settings: CompanionSettings) -> None:
    """After a turn: start the background process, where there is a remote to sync with."""
    if settings.sync != "off" and list_remotes(repo):
        background.start_sync(repo)


def sync_at_exit(repo: Repository, settings: CompanionSettings) -> None:
    """When a chat is left: what is not synced yet is, without waiting for a quiet moment."""
    if settings.sync != "off" and list_remotes(repo):
        background.nudge(repo)
