"""What an act on history means for the next message: where it goes on from, or a refusal.

Light, since every session asks.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from perdure.actions.errors import Archived
from perdure.companion.ids import TurnId
from perdure.git.operations.log import Operation, logged_operations
from perdure.git.repository.repository import Repository

if TYPE_CHECKING:
    from perdure.companion.config.settings import CompanionSettings

REOPEN = "perdure archive --reopen"
NEW_CONVERSATION = ("Conversation", "new")
"""Trailer of a revert after which the next message begins a conversation."""
_TURN_IN_WORDS = re.compile(r"to (\d{4}-\d\d-\d\d-\d{4}-[0-9a-f]{8}/\d{1,9})\b")
_LOOKED_AT = 50
"""Commits, or operations, that are looked at."""


def refuse_archived(settings: CompanionSettings) -> None:
    """Raise Archived for a companion in the archive. Called before each turn."""
    if settings.archived:
        raise Archived(
            f"{settings.name} is archived: you can read her, but not chat with her.",
            kept="Nothing was changed",
            next_step=f"To reopen her: {REOPEN}",
        )


def starts_conversation(repo: Repository, tip: str) -> bool:
    """Whether a revert since the last turn makes the next message begin a conversation."""
    waiting = [tip]
    for _ in range(_LOOKED_AT):
        if not waiting:
            return False
        here = waiting.pop()
        info = repo.commit_info(here)
        told = _conversations(repo, here)
        # Of a merge, either side may be the line that goes on here.
        before = [each for each in repo.commits.parents(here) if _conversations(repo, each) == told]
        if before and NEW_CONVERSATION in info.trailers and info.subject.startswith("revert: "):
            return True
        waiting += reversed(before)
    return False


def continues_from(repo: Repository, branch: str, tip: str) -> TurnId | None:
    """The turn that the next message continues after a rewind or an undo; None without one.

    None once something was said since, and where nothing was moved: then the usual rules hold.

    Args:
        repo: the repository.
        branch: the branch of the chat.
        tip: id of its commit.
    """
    last = _last_move(repo, branch)
    if last is None or last.after.commit is None:
        return None
    if _conversations(repo, last.after.commit) != _conversations(repo, tip):
        return None
    if last.kind in {"rewind", "visit"}:
        named = _TURN_IN_WORDS.match(last.description)
        return TurnId.parse(named[1]) if named else last_turn_at(repo, tip)
    if last.kind not in {"undo", "redo"}:
        return None
    before = last.before.commit
    moved = before is not None and _conversations(repo, before) != _conversations(repo, tip)
    return last_turn_at(repo, tip) if moved else None


def _last_move(repo: Repository, branch: str) -> Operation | None:
    """The newest operation that moved a branch. Tags, and going away and back, do not count."""
    newest = islice(logged_operations(repo), _LOOKED_AT)
    led = (e for e in newest if e.before != e.after and e.after.branch == branch)
    return next((entry for entry in led if entry.kind != "switch"), None)


def _conversations(repo: Repository, commit: str) -> str | None:
    return repo.folder_oid("conversations", commit)


def last_turn_at(repo: Repository, commit: str) -> TurnId | None:
    """The last turn as of a commit."""
    from perdure.snapshot.conversation.transcript import Transcript, last_turn

    transcript = Transcript(repo, commit)
    conversation = transcript.last_conversation()
    last = last_turn(transcript, conversation) if conversation else None
    return TurnId(conversation.id, last.number) if conversation and last else None
