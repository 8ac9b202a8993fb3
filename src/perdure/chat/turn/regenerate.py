"""Another answer to a turn, up to the point where a backend is asked.

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
from perdure.actions.turns.regenerate import AgainPlan, last_word, plan_again, stored_turn
from perdure.actions.turns.rewrite import StoredTurn
from perdure.chat.events import (
    Event,
    Greeted,
    Saved,
)
from perdure.chat.turn.prepared import PreparedTurn
from perdure.chat.turn.store import TurnStore
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.operations import undo
from perdure.notice import Notice
from perdure.prompt import PastTurn


def prepare_again(
    store: TurnStore, where: str = "", name: str = ""
) -> PreparedTurn | tuple[Event, ...]:
    """Find the turn, begin a branch there if it is not the last, put the question on disk.

    Args:
        store: the companion.
        where: a turn's name; the last one of this talk without.
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
    wanted = where or last_word(store.position.transcript, store.position.conversation)
    plan = plan_again(store.workspace, wanted, name, own=store.position.conversation)
    spot = stored_turn(store.repo, store.position.transcript, plan.turn)
    _check_asked(store, plan, spot)
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
        return _another_greeting(store, plan, spot, notices)
    spot = stored_turn(store.repo, store.position.transcript, plan.turn)
    prepare = _in_place if spot.is_last else _beside
    return prepare(store, spot, notices, began)


def _check_asked(store: TurnStore, plan: AgainPlan, spot: StoredTurn) -> None:
    """A reply that follows a reply has no question to be asked again."""
    if plan.turn.number == 0 or spot.turn.message is not None:
        return
    before = _before(store, spot)
    if not before or before[-1].turn.message is None or before[-1].turn.replies:
        raise CannotAct(
            f"nobody said anything in {plan.turn} that could be answered again",
            kept="nothing was changed",
        )


def _before(store: TurnStore, spot: StoredTurn) -> list[PastTurn]:
    """The thread up to the turn, without it."""
    until = store.position.thread_to((spot.turn_id,), keep=spot.turn_id)
    return [past for past in until if past.id != spot.turn_id]


def _in_place(
    store: TurnStore, spot: StoredTurn, notices: list[Notice], began: str
) -> PreparedTurn:
    thread = _before(store, spot)
    message = spot.turn.message
    if message is not None:
        thread.append(PastTurn(spot.turn_id, Turn(spot.turn.number, message)))
    store.position.lease.take(str(spot.turn_id.conversation))
    return store.begin_turn(TurnKind.ANOTHER, spot.place, message, thread, notices, began=began)


def _beside(store: TurnStore, spot: StoredTurn, notices: list[Notice], began: str) -> PreparedTurn:
    """Later turns came in the same commit, as imports do: the question is put once more.

    It opens a conversation that goes on from the turn before.
    """
    if spot.turn.message is None:
        raise CannotAct(f"{spot.turn_id} has no message of yours", kept="nothing was changed")
    message = replace(spot.turn.message, at=now())
    before = TurnId(spot.turn_id.conversation, spot.turn_id.number - 1)
    location = store.position.begin(message.text, message.at or now(), before)
    thread = [*_before(store, spot), PastTurn(location.turn_id, Turn(location.number, message))]
    return store.begin_turn(TurnKind.NEW, location, message, thread, notices, began=began)


def _another_greeting(
    store: TurnStore, plan: AgainPlan, spot: StoredTurn, notices: list[Notice]
) -> tuple[Event, ...]:
    """The greeting that comes after the one that stands; no backend is asked."""
    number = next_number(store.position.companion, spot)
    added = add_greeting(
        store.workspace, store.position.companion, spot, number, fresh=plan.rewind is not None
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
    plan = undo.plan_undo(store.repo)
    if plan.entry.id != prepared.began:
        return []
    undo.undo(store.repo, plan, author=store.position.human, at=now())
    store.look_again()
    return [Notice(f"No answer came, so the talk is on {store.position.branch} again.")]
