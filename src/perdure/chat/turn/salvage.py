"""Keeping the words of a journal that cannot be followed, in a conversation of their own.

A journal that came with a folder from elsewhere, or whose header makes no sense, decides nothing
here: not the branch, not the conversation, not the turn. What somebody said in it is kept all the
same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from perdure.actions.turns.commit import TurnCommitter
from perdure.actions.turns.location import new_conversation
from perdure.actions.turns.pending import PendingTurn, TurnKind
from perdure.companion.clock import now, read_time
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.names import title_from
from perdure.companion.secrets import mask_secrets
from perdure.companion.turns import Message, Reply
from perdure.git.repository.foreign_words import words
from perdure.git.repository.repository import Author, Repository
from perdure.git.repository.turn_journal import Leftover
from perdure.snapshot.author import author_of
from perdure.snapshot.companion import CompanionAt
from perdure.snapshot.conversation.trailers import TurnFacts
from perdure.snapshot.conversation.transcript import Transcript, last_turn

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class SalvageTarget:
    """Where such words are kept, and whose they are, as the companion stands here."""

    branch: str
    start: str | None
    user: str
    author: Author


def salvage_target(branch: str, start: str | None, companion: CompanionAt) -> SalvageTarget:
    """Where a companion's own words are kept."""
    return SalvageTarget(branch, start, companion.settings.user, author_of(companion.name))


def keep_foreign(repo: Repository, committer: TurnCommitter, where: SalvageTarget) -> list[str]:
    """Commit what journals from elsewhere hold; returns a sentence for each."""
    return [
        "Words that were being said when this folder was copied, or before it was restored, are "
        "committed now, in a separate conversation."
        for found in words(repo)
        if keep(repo, committer, where, found)
    ]


def keep(repo: Repository, committer: TurnCommitter, where: SalvageTarget, found: Leftover) -> bool:
    """Commit a journal's words in a conversation of their own, then drop it. False: it has none."""
    message = _message(found.header.get("message"), where.user)
    speaker = _name(found.header.get("speaker"), where.author.name)
    anew = found.end.get("text") if found.end is not None else None
    text = _plain(anew if isinstance(anew, str) else found.text)
    is_whole = found.end is not None and found.end.get("interrupted") is False
    reply = Reply(speaker, text, now(), interrupted=not is_whole) if text.strip() else None
    if reply is None and (message is None or found.header.get("answers")):
        found.discard()
        return False
    mark = _mark(found, message, text)
    if _is_kept(repo, where, mark):
        # By a process that was killed before it could remove the journal.
        found.discard()
        return True
    location = new_conversation(
        now(),
        title=title_from(message.text if message is not None else text),
        participants=(where.user, where.author.name),
        continues=_before(repo, where, found.header),
        hex_digits=mark,
    )
    pending = PendingTurn(TurnKind.NEW, location, message, speaker, where.branch, start=where.start)
    # Without the journal: a commit writes into it, and the next open would have to obey that.
    facts = TurnFacts(turn=location.turn_id)
    committer.commit(pending, reply, facts, author=where.author, at=now(), journal=None)
    committer.lease.release()
    found.discard()
    return True


def _mark(found: Leftover, message: Message | None, reply: str) -> str:
    """Eight hex digits for a journal and what it holds: the end of its conversation's id."""
    row = [found.file.identity, message.text if message else "", reply]
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:8]


def _is_kept(repo: Repository, where: SalvageTarget, mark: str) -> bool:
    transcript = Transcript(repo, where.start or f"refs/heads/{where.branch}")
    return any(str(each.id).endswith(f"-{mark}") for each in transcript.conversations())


def _before(repo: Repository, where: SalvageTarget, header: Mapping[str, object]) -> TurnId | None:
    """The last turn of the conversation of the chat, where it is one of these."""
    try:
        identity = ConversationId(str(header.get("conversation")))
    except ValueError:
        return None
    transcript = Transcript(repo, where.start or f"refs/heads/{where.branch}")
    conversation = transcript.find(identity)
    last = last_turn(transcript, conversation) if conversation is not None else None
    return TurnId(identity, last.number) if last is not None else None


def _message(said: object, user: str) -> Message | None:
    if not isinstance(said, dict):
        return None
    text = _plain(said.get("text"))
    if not text.strip():
        return None
    return Message(_name(said.get("speaker"), user), text, read_time(said.get("at")) or now())


def _plain(text: object) -> str:
    """A text without keys; halves of a character that came in two pieces are joined."""
    if not isinstance(text, str):
        return ""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return mask_secrets(whole)[0]


def _name(value: object, otherwise: str) -> str:
    name = _plain(value).strip()
    return name if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else otherwise
