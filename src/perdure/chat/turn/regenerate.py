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
from perdure.actions.turns.regenerate import AgainPlan, last_word, plan_again, stored_turn
from perdure.actions.turns.rewrite import StoredTurn
from perdure.chat.events import (
    Failed,
    Greeted,
    Saved,
)
from perdure.chat.turn.prepared import Done, Prepared
from perdure.chat.turn.recovery import journal_header
from perdure.chat.turn.store import TurnStore
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.operations import undo
from perdure.git.repository.turn_journal import Journal
from perdure.notice import Notice
from perdure.prompt import PastTurn


def prepare_again(store: TurnStore, where: str = "", name: str = "") -> Prepared | Done:
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
    """
    notices = store.commit_outside()
    refuse_archived(store.companion.settings)
    wanted = where or last_word(store.transcript, store.conversation)
    plan = plan_again(store.workspace, wanted, name, own=store.conversation)
    spot = stored_turn(store.repo, store.transcript, plan.turn)
    _check_asked(store, plan, spot)
    begun = ""
    if plan.rewind is not None:
        begun = rewind(store.workspace, plan.rewind).id
        store.look_again()
        leaves = plan.rewind.leaves
        notices.append(
            Notice(
                f"On the new branch {store.branch}; {leaves} keeps what came after. Go back with: "
                f"perdure switch {leaves}"
            )
        )
    if plan.turn.number == 0:
        return _another_greeting(store, plan, spot, notices)
    spot = stored_turn(store.repo, store.transcript, plan.turn)
    prepare = _in_place if spot.is_last else _beside
    return replace(prepare(store, spot, notices), begun=begun)


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
    until = store.thread_to((spot.turn_id,), keep=spot.turn_id)
    return [past for past in until if past.id != spot.turn_id]


def _in_place(store: TurnStore, spot: StoredTurn, notices: list[Notice]) -> Prepared:
    asked = _before(store, spot)
    if spot.turn.message is not None:
        asked.append(PastTurn(spot.turn_id, Turn(spot.turn.number, spot.turn.message)))
    shown = spot.turn
    store.committer.lease.take(str(spot.turn_id.conversation))
    header = journal_header(
        store.branch,
        spot.place,
        shown,
        None,
        store.companion.name,
        answers=True,
        again=True,
        base=store.base,
    )
    journal = Journal.begin(store.repo, header)
    store.begun(spot.turn_id.conversation)
    return Prepared(
        spot.place, shown, None, tuple(asked), journal, tuple(notices), store.branch,
        answers=True, again=True,
    )  # fmt: skip


def _beside(store: TurnStore, spot: StoredTurn, notices: list[Notice]) -> Prepared:
    """Later turns came in the same commit, as imports do: the question is put once more.

    It opens a conversation that goes on from the turn before.
    """
    message = spot.turn.message
    if message is None:
        raise CannotAct(f"{spot.turn_id} has no message of yours", kept="nothing was changed")
    at = now()
    before = TurnId(spot.turn_id.conversation, spot.turn_id.number - 1)
    place = store.begin(message.text, at, before)
    turn = Turn(place.number, replace(message, at=at))
    past = (*_before(store, spot), PastTurn(place.turn_id, turn))
    journal = Journal.begin(
        store.repo,
        journal_header(store.branch, place, turn, None, store.companion.name, base=store.base),
    )
    store.begun(place.conversation)
    return Prepared(place, turn, None, past, journal, tuple(notices), store.branch)


def _another_greeting(
    store: TurnStore, plan: AgainPlan, spot: StoredTurn, notices: list[Notice]
) -> Done:
    """The greeting that comes after the one that stands; no backend is asked."""
    number = next_number(store.companion, spot)
    landed = add_greeting(
        store.workspace, store.companion, spot, number, fresh=plan.rewind is not None
    )
    store.look_again()
    store.begun(landed.turn.conversation)
    said = Turn(0, None, (landed.reply,))
    return Done(
        (
            *notices,
            Greeted(landed.turn, landed.reply),
            Saved(landed.turn, said, landed.commit, store.branch),
        )
    )


def give_up(store: TurnStore, prepared: Prepared) -> list[Notice]:
    """No word came: the journal says nothing, and a branch that was begun for it goes."""
    prepared.journal.finish()
    if not prepared.begun:
        return []
    plan = undo.plan_undo(store.repo)
    if plan.entry.id != prepared.begun:
        return []
    undo.undo(store.repo, plan, author=store.human, at=now())
    store.look_again()
    return [Notice(f"No answer came, so the talk is on {store.branch} again.")]


def as_before(failed: Failed) -> Failed:
    """What to tell where no other answer came: the turn has its reply."""
    step = failed.next_step.replace("perdure say --resume", "perdure regenerate")
    return Failed(failed.what, "All is as it was before.", step)
