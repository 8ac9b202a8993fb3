"""Committing what a crash left in a journal, when the companion is next opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perdure.actions.turns.commit import TurnCommitter
from perdure.actions.turns.location import next_in, start_after_newest
from perdure.actions.turns.pending import (
    PendingTurn,
    TurnKind,
    in_own_conversation,
    moved,
    read_header,
)
from perdure.actions.turns.rewrite import find_stored_turn
from perdure.chat.turn.branch import branch_to_commit_on
from perdure.chat.turn.salvage import SalvageTarget, keep
from perdure.companion.clock import now, read_time
from perdure.companion.ids import TurnId
from perdure.companion.secrets import mask_secrets
from perdure.companion.turns import Reply
from perdure.git.repository.repository import Author, Repository
from perdure.git.repository.turn_journal import Leftover, leftover
from perdure.notice import Notice
from perdure.snapshot.conversation.trailers import TurnFacts
from perdure.snapshot.conversation.transcript import Transcript, last_turn


def recover_turns(repo: Repository, committer: TurnCommitter, where: SalvageTarget) -> list[Notice]:
    """Commit every turn that a dead session left; what there is to tell of each.

    `leftover` leaves out those that reached their commit before the crash. One whose header makes
    no sense is kept as words.
    """
    notices: list[Notice] = []
    for found in leftover(repo):
        pending = read_header(found.header)
        if pending is not None:
            notices += _recover(repo, committer, where.author, found, pending)
        elif keep(repo, committer, where, found):
            notices.append(
                Notice(
                    "What a crash cut off could not be put back in its place, so it is committed "
                    "now in a separate conversation."
                )
            )
    return notices


def _recover(
    repo: Repository,
    committer: TurnCommitter,
    author: Author,
    found: Leftover,
    pending: PendingTurn,
) -> list[Notice]:
    branch = branch_to_commit_on(repo, pending.branch, start=None, base=pending.base, since=None)
    reply = recovered_reply(found)
    if reply is None and (pending.kind is not TurnKind.NEW or pending.message is None):
        found.discard()
        return []
    pending = replace(pending, branch=branch.name, start=branch.start)
    pending = _located(repo, committer, pending)
    facts = TurnFacts(turn=pending.turn_id)
    committer.commit(pending, reply, facts, author=author, at=now(), journal=found)
    return [*branch.notices, Notice(_sentence(pending.kind, reply))]


def _sentence(kind: TurnKind, reply: Reply | None) -> str:
    """What to tell of a turn that was recovered."""
    if kind is TurnKind.ANOTHER:
        how = (
            "that was cut off is committed now, as far as it came, marked interrupted"
            if reply is None or reply.interrupted
            else "that could not be committed when it ended is committed now"
        )
        return f"Another answer {how}; the old answer is kept: perdure alternatives @"
    if reply is None:
        return "A message that had not been committed is committed now; it has no reply yet."
    if not reply.interrupted:
        return "A complete reply that could not be committed when it ended is committed now."
    return "A reply that was cut off is committed now, as far as it came, marked interrupted."


def recovered_reply(found: Leftover) -> Reply | None:
    """The reply that is left: as it ended, or as far as it came; None where no word did."""
    speaker, end = str(found.header["speaker"]), found.end
    anew = end.get("text") if end is not None else None
    text, _ = mask_secrets(anew if isinstance(anew, str) else found.text)
    if not text.strip():
        return None
    if end is None:
        return Reply(speaker, text, now(), interrupted=True)
    backend, model = (end.get(key) for key in ("backend", "model"))
    return Reply(
        speaker,
        text,
        read_time(end.get("at")) or now(),
        backend=backend if isinstance(backend, str) else "",
        model=model if isinstance(model, str) else "",
        interrupted=end.get("interrupted") is not False,
        stand_in=end.get("stand_in") is True,
    )


def _located(repo: Repository, committer: TurnCommitter, pending: PendingTurn) -> PendingTurn:
    """The turn with its location in the branch as that stands by now."""
    transcript = Transcript(repo, pending.start or f"refs/heads/{pending.branch}")
    if pending.kind is TurnKind.ANOTHER:
        return _with_its_turn(repo, transcript, pending)
    conversation = transcript.find(pending.location.conversation)
    if conversation is None:
        return _beginning(transcript, pending, pending.location.head.ends)
    last = last_turn(transcript, conversation)
    lease = committer.lease.acquire(str(conversation.id))
    location = (
        next_in(repo, transcript, conversation, lease, pending.branch)
        if lease is not None
        else None
    )
    if location is None:
        after = (TurnId(conversation.id, last.number),) if last is not None else ()
        return _beginning(transcript, pending, after)
    if pending.kind is TurnKind.NEW:
        return moved(pending, location)
    if last is not None and last.number == pending.location.number:
        return replace(pending, location=replace(location, number=last.number))
    # The message is no longer the last one: the reply comes behind it, as a turn without one.
    return replace(moved(pending, location), kind=TurnKind.NEW, message=None)


def _with_its_turn(repo: Repository, transcript: Transcript, pending: PendingTurn) -> PendingTurn:
    """Another answer where its turn stands; the turn as a new one where that is gone."""
    stored = find_stored_turn(repo, transcript, pending.turn_id)
    if stored is not None:
        return replace(pending, location=stored.location)
    number = pending.location.number
    before = (TurnId(pending.location.conversation, number - 1),) if number else ()
    return replace(_beginning(transcript, pending, before), kind=TurnKind.NEW)


def _beginning(transcript: Transcript, pending: PendingTurn, ends: Sequence[TurnId]) -> PendingTurn:
    """The turn in a conversation of its own, which begins after all others."""
    return in_own_conversation(pending, start_after_newest(transcript, now()), ends)
