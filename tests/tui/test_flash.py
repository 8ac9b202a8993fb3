"""Several notices: all are seen, the graver first, none twice."""

from __future__ import annotations

from perdure.chat.events import ReplyStarted
from perdure.companion.ids import TurnId
from perdure.notice import Notice
from perdure.tui.app import ChatApp
from perdure.tui.widgets.flash import Flash
from tests.tui.conftest import Running, until
from tests.tui.stand_in import NEWEST


def lines(app: ChatApp) -> list[str]:
    """What is shown, without its signs."""
    shown = app.chat.flash
    return [line[2:] for line in str(shown.render()).splitlines()] if shown.display else []


def read(flash: Flash) -> None:
    """As after some seconds."""
    for each in list(flash._notices):
        flash._aged(each)


async def test_the_graver_one_stands_first_and_both_are_seen(running: Running) -> None:
    async with running() as (app, _pilot):
        flash = app.chat.flash
        flash.clear_notice()
        flash.show("mock did not answer.", "warning", stays=True)
        flash.show("17 earlier turns did not fit.")
        assert lines(app) == ["mock did not answer.", "17 earlier turns did not fit."]
        read(flash)
        assert lines(app) == ["mock did not answer."]
        flash.show("Copied 1 line.", "success")
        assert lines(app) == ["Copied 1 line."]


async def test_a_failure_is_not_hidden_by_what_comes_at_once(running: Running) -> None:
    async with running() as (app, _pilot):
        flash = app.chat.flash
        flash.clear_notice()
        flash.show("The disk is full.", "error")
        flash.show("Copied 1 line.", "success")
        flash.show("Something else.", "warning")
        assert lines(app) == ["The disk is full.", "Something else."]
        read(flash)
        assert lines(app) == ["The disk is full."]
        flash.show("Answer 1 of 2 stands.", "success")
        assert lines(app) == ["Answer 1 of 2 stands."]


async def test_progress_and_what_goes_on_take_one_row(running: Running) -> None:
    async with running() as (app, _pilot):
        flash = app.chat.flash
        flash.clear_notice()
        for number in range(4):
            flash.show(f"Reading the history once: {number} of 4")
        assert lines(app) == ["Reading the history once: 3 of 4"]
        flash.show("One.", "warning")
        flash.show("One. Two.", "warning")
        assert lines(app) == ["One. Two."]
        flash.clear_read()
        assert lines(app) == ["One. Two."]
        read(flash)
        flash.show("kept", "warning", stays=True)
        read(flash)
        assert lines(app) == ["kept"]
        flash.clear_read()
        assert lines(app) == []


async def test_what_did_not_fit_is_told_once_a_conversation(running: Running) -> None:
    async with running() as (app, pilot):
        chat = app.chat
        chat.flash.clear_notice()

        def started() -> None:
            event = ReplyStarted(TurnId(NEWEST, 1), "Mira", "local", "m", 10, 100, left_out=3)
            chat.turns.hear(event)

        chat.turns.hear(Notice("study did not answer.", "warning"))
        started()
        assert lines(app) == [
            "study did not answer.",
            "3 earlier turns did not fit into the model's window.",
        ]
        chat.flash.clear_notice()
        chat.view.feed.end_reply(())
        started()
        assert lines(app) == []
        chat.view.feed.end_reply(())
        chat.action_new_conversation()
        chat.flash.clear_notice()
        started()
        await until(pilot, lambda: bool(lines(app)))
