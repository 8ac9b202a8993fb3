"""The persona's greetings are the answers to turn 0: one stands, the others are alternatives.

Those that were never said in a conversation come behind the answers in its files, in the order of
their file names, and keep these numbers when one of them is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perdure.actions.errors import CannotAct
from perdure.actions.lease import ConversationLease
from perdure.actions.turns.location import new_conversation
from perdure.actions.turns.rewrite import ChunkEdit, StoredTurn, rewrite_here
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.companion.conversation.chunk import render_head, render_turn
from perdure.companion.conversation.edit import (
    Answer,
    ChunkFiles,
    add_answer,
    answers,
    choose_answer,
)
from perdure.companion.ids import TurnId
from perdure.companion.names import title_from
from perdure.companion.persona.persona import fill
from perdure.companion.turns import Reply, Turn
from perdure.git.repository.repository import Author, Change
from perdure.snapshot.author import author_of
from perdure.snapshot.companion import CompanionAt
from perdure.snapshot.conversation.trailers import TurnFacts, turn_message


@dataclass(frozen=True, slots=True)
class CommittedGreeting:
    """A greeting that stands now."""

    turn: TurnId
    reply: Reply
    commit: str


def greeting_answers(companion: CompanionAt, files: ChunkFiles) -> tuple[Answer, ...]:
    """Every answer to turn 0: those in the files, then the persona's others."""
    there = answers(files, 0)
    said = {reply.text for answer in there for reply in answer.replies}
    number = max((answer.number for answer in there), default=0)
    found = list(there)
    for text in _texts(companion):
        if text not in said:
            number += 1
            reply = Reply(companion.name, text, answer=number)
            found.append(Answer(number, (reply,), shown=False))
    return tuple(found)


def _texts(companion: CompanionAt) -> Sequence[str]:
    settings = companion.settings
    filled = [
        fill(greeting.text, char=settings.name, user=settings.user).strip()
        for greeting in companion.persona.greetings
    ]
    return list(dict.fromkeys(text for text in filled if text))


def next_number(companion: CompanionAt, stored: StoredTurn) -> int:
    """The answer after the one that stands, round and round.

    Raises:
        CannotAct: there is no other greeting.
    """
    found = greeting_answers(companion, stored.files)
    if len(found) < 2:
        raise CannotAct(
            "there is no other greeting", next_step="write one as a file in persona/greetings/"
        )
    places = [at for at, answer in enumerate(found) if answer.shown]
    return found[(places[0] + 1 if places else 0) % len(found)].number


def add_greeting(
    workspace: Workspace, companion: CompanionAt, stored: StoredTurn, number: int, *, fresh: bool
) -> CommittedGreeting:
    """Let a greeting stand, as one commit.

    Args:
        workspace: the companion, on the branch where that shall be.
        companion: as it was when the greetings were listed.
        stored: turn 0, whose answers were listed.
        number: which of them.
        fresh: open a conversation with it instead of changing the one of ``stored``.

    Raises:
        CannotAct: there is no greeting of that number.
        HistoryError: nothing was changed.
    """
    listed = greeting_answers(companion, stored.files)
    wanted = next((answer for answer in listed if answer.number == number), None)
    if wanted is None:
        raise CannotAct(f"there is no greeting {number}")
    reply = replace(wanted.replies[0], at=now())
    author = author_of(companion.name)
    if fresh:
        with workspace.leased() as lease:
            return _open(workspace, lease, companion, replace(reply, answer=1), author)

    def swapped(at: StoredTurn) -> ChunkEdit:
        files = at.files
        there = {answer.number for answer in answers(files, 0)}
        for other in listed:
            if other.number not in there and other.number <= number:
                said = replace(other.replies[0], at=now())
                files = add_answer(files, 0, [said], shown=False)
        files = choose_answer(files, 0, number)
        turn = Turn(0, None, (replace(reply, answer=number),))
        facts = TurnFacts(turn=at.turn_id, answer=number)
        return ChunkEdit(files, lambda _: turn_message(turn, facts))

    commit = rewrite_here(workspace, stored.turn_id, swapped, author)
    return CommittedGreeting(stored.turn_id, replace(reply, answer=number), commit)


def _open(
    workspace: Workspace,
    lease: ConversationLease,
    companion: CompanionAt,
    reply: Reply,
    author: Author,
) -> CommittedGreeting:
    settings, at = companion.settings, now()
    location = new_conversation(
        at, title=title_from(reply.text), participants=(settings.user, settings.name)
    )  # fmt: skip
    turn_id = TurnId(location.conversation, 0)
    turn = Turn(0, None, (reply,))
    held = lease.acquire(str(location.conversation))
    commit = workspace.repo.commit(
        [Change(location.path, render_head(location.head) + render_turn(turn))],
        message=turn_message(turn, TurnFacts(turn=turn_id)),
        author=author,
        branch=workspace.branch,
        at=at,
        expect={location.path: None},
    )
    oid = workspace.repo.oid(location.path, commit)
    if held is not None and oid is not None:
        held.renew(workspace.branch, location.path, oid)
    return CommittedGreeting(turn_id, reply, commit)
