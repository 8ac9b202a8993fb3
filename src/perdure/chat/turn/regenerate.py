"""Preparing another answer to a turn, up to the point where a backend is asked.

The turn is journaled like a new one, so that a crash leaves what came as an answer of its own; the
answer that stands is not touched before the commit that puts the new one in its place.
"""

from __future__ import annotations

from dataclasses import replace

from perdure.actions.errors import CannotAct
from perdure.actions.history.next_message import refuse_archived
from perdure.actions.history.rewind import rewind
from perdure.actions.turns.greeting import add_greeting, next_number
from perdure.actions.turns.pending import TurnKind
from perdure.actions.turns.regenerate import (
    RegeneratePlan,
    last_turn_name,
    plan_regenerate,
    stored_turn,
)
from perdure.actions.turns.rewrite import StoredTurn
from perdure.chat.events import Event, Greeted, Saved
from perdure.chat.turn.position import Continuation
from perdure.chat.turn.store import PreparedTurn, TurnStore
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.undo import perform as undo
from perdure.git.undo import plan as undo_plan
from perdure.notice import Notice
from perdure.prompt import PastTurn


def prepare_another(
    store: TurnStore, where: str = "", name: str = ""
) -> PreparedTurn | tuple[Event, ...]:
    """Find the turn, begin a branch there if it is not the last, put the question on disk.

    Args:
        store: the companion.
        where: a turn's name; the last one of this thread without.
        name: of the branch, where one has to begin.

    Raises:
        UnknownTurn: there is no such turn.
        CannotAct: nobody said anything there that could be answered.
        CompanionProblem: the turn's file is damaged.
        HistoryError: nothing was changed.

    Returns:
        The turn; or, of a greeting that gave way to the next one, what there is to tell.
    """
    notices = store.commit_outside()
    refuse_archived(store.position.companion.settings)
    wanted = where or last_turn_name(store.position.transcript, store.position.conversation)
    plan = plan_regenerate(store.workspace, wanted, name, own=store.position.conversation)
    stored = stored_turn(store.repo, store.position.transcript, plan.turn)
    _check_asked(store, plan, stored)
    began = ""
    if plan.rewind is not None:
        began = rewind(store.workspace, plan.rewind).id
        store.look_again()
        branch, leaves = store.position.branch, plan.rewind.leaves
        notices.append(
            Notice(
                f"On the new branch {branch}; {leaves} keeps what came after. Go back with: "
                f"perdure switch {leaves}"
            )
        )
    if plan.turn.number == 0:
        return _another_greeting(store, plan, stored, notices)
    stored = stored_turn(store.repo, store.position.transcript, plan.turn)
    prepare = _in_place if stored.is_last else _beside
    return prepare(store, stored, notices, began)


def _check_asked(store: TurnStore, plan: RegeneratePlan, stored: StoredTurn) -> None:
    """A reply that follows a reply has no question to be asked again."""
    if plan.turn.number == 0 or stored.turn.message is not None:
        return
    before = _before(store, stored)
    if not before or before[-1].turn.message is None or before[-1].turn.replies:
        raise CannotAct(f"{plan.turn} has no message that could be answered again")


def _before(store: TurnStore, stored: StoredTurn) -> list[PastTurn]:
    """The thread up to the turn, without it."""
    until = store.position.thread_to((stored.turn_id,), keep=stored.turn_id)
    return [past for past in until if past.id != stored.turn_id]


def _in_place(
    store: TurnStore, stored: StoredTurn, notices: list[Notice], began: str
) -> PreparedTurn:
    thread = _before(store, stored)
    message = stored.turn.message
    if message is not None:
        thread.append(PastTurn(stored.turn_id, Turn(stored.turn.number, message)))
    store.position.lease.acquire(str(stored.turn_id.conversation))
    return store.begin_turn(
        TurnKind.ANOTHER, stored.location, message, thread, notices, began=began
    )


def _beside(
    store: TurnStore, stored: StoredTurn, notices: list[Notice], began: str
) -> PreparedTurn:
    """Later turns came in the same commit, as imports do: the question is put once more.

    It opens a conversation that goes on from the turn before.
    """
    if stored.turn.message is None:
        raise CannotAct(f"{stored.turn_id} has no message of yours")
    message = replace(stored.turn.message, at=now())
    before = TurnId(stored.turn_id.conversation, stored.turn_id.number - 1)
    after = Continuation((before,))
    location = store.position.begin(after, message.at or now(), message.text)
    thread = [*_before(store, stored), PastTurn(location.turn_id, Turn(location.number, message))]
    return store.begin_turn(TurnKind.NEW, location, message, thread, notices, began=began)


def _another_greeting(
    store: TurnStore, plan: RegeneratePlan, stored: StoredTurn, notices: list[Notice]
) -> tuple[Event, ...]:
    """The greeting that comes after the one that stands; no backend is asked."""
    number = next_number(store.position.companion, stored)
    added = add_greeting(
        store.workspace, store.position.companion, stored, number, fresh=plan.rewind is not None
    )
    store.look_again()
    store.position.began(added.turn.conversation)
    greeted = Turn(0, None, (added.reply,))
    return (
        *notices,
        Greeted(added.turn, added.reply),
        Saved(added.turn, greeted, added.commit, store.position.branch),
    )


def give_up(store: TurnStore, prepared: PreparedTurn) -> list[Notice]:
    """No word came: the journal says nothing, and a branch that was begun for it goes."""
    prepared.journal.finish()
    if not prepared.began:
        return []
    plan = undo_plan.plan_undo(store.repo)
    if plan.entry.id != prepared.began:
        return []
    undo.undo(store.repo, plan, author=store.position.human, at=now())
    store.look_again()
    return [Notice(f"No answer came, so you are back on {store.position.branch}.")]
