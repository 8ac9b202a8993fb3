"""Undo, branches, tags and rewinding on the screen, over real repositories."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Static

from perdure.tui.app import ChatApp
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import Question
from perdure.tui.widgets.rail import Named
from tests.conftest import assert_sound, git
from tests.tui.conftest import say, shown, until, until_shown
from tests.tui.test_real_session import chatting


def flash(app: ChatApp) -> str:
    """The notice that is shown; empty without one."""
    return str(app.chat.flash.render()) if app.chat.flash.display else ""


def told(app: ChatApp) -> str:
    """What the open question says."""
    assert isinstance(app.screen, Question)
    return str(app.screen.query("#question-lines Static").first().render())


def branch(path: Path) -> str:
    """The branch that git has checked out."""
    return git(path, "branch", "--show-current").strip()


async def talk(app: ChatApp, pilot: Pilot[int], *texts: str) -> None:
    """Say several things, each answered and saved."""
    for text in texts:
        await say(pilot, text)
        await until_shown(app, pilot, f"I heard: {text}")
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        await until(pilot, lambda: not app.chat.conversation.is_talking)


async def browse(app: ChatApp, pilot: Pilot[int], *keys: str) -> None:
    """Leave the message box and press keys over the talk."""
    app.chat.action_browse()
    await pilot.pause()
    await pilot.press(*keys)


def naming(app: ChatApp) -> str:
    """What the question for a name says; empty while there is none."""
    lines = app.screen.query("#name-lines")
    return str(lines.first(Static).render()) if lines else ""


async def asked(app: ChatApp, pilot: Pilot[int]) -> str:
    await until(pilot, lambda: isinstance(app.screen, Question))
    await pilot.pause()
    return told(app)


async def test_z_takes_back_what_was_said_and_z_capital_brings_it_back(companion: Path) -> None:
    """One act, no question, words without a hash; it is gone and comes back whole."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "first words", "second words")
        tip = git(companion, "rev-parse", "HEAD")
        await browse(app, pilot, "z")
        await until(pilot, lambda: "Undone" in flash(app))
        told = "Undone: your message “second words” and her reply. Z brings it back."
        assert told in flash(app)
        assert "second words" not in shown(app)
        assert "first words" in shown(app)
        assert git(companion, "rev-parse", "HEAD~0") == git(
            companion, "rev-parse", f"{tip.strip()}~1"
        )
        await until(pilot, app.chat.conversation.may_send)
        assert app.chat.view.picked_text == "I heard: first words"
        await pilot.press("Z")
        await until(pilot, lambda: "Redone" in flash(app))
        assert "I heard: second words" in shown(app)
        assert git(companion, "rev-parse", "HEAD") == tip
        await until(pilot, app.chat.conversation.may_send)
        assert app.chat.view.picked_text == "I heard: second words"
    assert_sound(companion)


async def test_z_asks_before_several_acts_are_hidden_and_z_agrees(companion: Path) -> None:
    """Enter alone leaves it."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        git(companion, "switch", "-qc", "side")
        await until(pilot, lambda: app.chat.status.status.branch == "side")
        await talk(app, pilot, "two", "three")
        git(companion, "switch", "-q", "main")
        git(companion, "merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side")
        git(companion, "branch", "-D", "side")
        await until(pilot, lambda: app.chat.status.status.branch == "main")
        await until(pilot, lambda: "I heard: three" in shown(app))
        tip = git(companion, "rev-parse", "HEAD")
        await browse(app, pilot, "z")
        assert "2 turns" in await asked(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        await until(pilot, app.chat.conversation.may_send)
        assert git(companion, "rev-parse", "HEAD") == tip
        await pilot.press("z")
        await asked(app, pilot)
        await pilot.press("z")
        await until(pilot, lambda: "Undone" in flash(app))
        assert "I heard: three" not in shown(app)
    assert_sound(companion)


async def test_after_an_undo_the_talk_goes_on_from_there(companion: Path) -> None:
    """What is said next is not answered with what was taken back."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two")
        await browse(app, pilot, "z")
        await until(pilot, lambda: "Undone" in flash(app))
        await talk(app, pilot, "three")
        assert "I heard: two" not in shown(app)
    subjects = git(companion, "log", "--format=%s")
    assert "turn: three" in subjects
    assert "turn: two" not in subjects
    assert_sound(companion)


async def test_a_branch_begins_at_the_picked_message_and_enter_goes_there(
    companion: Path,
) -> None:
    """`b` names it, the rail lists it, enter switches; what is being written comes along."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "early", "late")
        await browse(app, pilot, "k", "k", "b")
        await until(pilot, lambda: isinstance(app.screen, NameDialog))
        app.screen.query_one(Input).value = "softer"
        await pilot.press("enter")
        await until(pilot, lambda: "softer" in git(companion, "branch", "--list", "softer"))
        assert branch(companion) == "main"
        names = [node.data for group in app.chat.rail.root.children for node in group.children]
        await until(
            pilot,
            lambda: (
                app.chat.history.names is not None and len(app.chat.history.names.branches) == 2
            ),
        )
        await pilot.pause()
        group = app.chat.rail.root.children[-1]
        names = [node.data for node in group.children]
        assert {each.name for each in names if isinstance(each, Named)} == {"main", "softer"}
        app.chat.composer.put("half a thought")
        app.chat.rail.focus()
        softer = next(
            n for n in group.children if isinstance(n.data, Named) and n.data.name == "softer"
        )
        app.chat.rail.move_cursor(softer)
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.status.status.branch == "softer")
        assert branch(companion) == "softer"
        assert "I heard: late" not in shown(app)
        assert "I heard: early" in shown(app)
        assert app.chat.composer.text == "half a thought"
        await pilot.press("z")
        await until(pilot, lambda: app.chat.status.status.branch == "main")
        assert "I heard: late" in shown(app)
    assert_sound(companion)


async def test_rewinding_says_what_is_kept_under_which_name(companion: Path) -> None:
    """`w` over a message: a new branch from there; the old one keeps the rest."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two", "three")
        await browse(app, pilot, "k", "k", "k", "w")
        question = await asked(app, pilot)
        assert "main keeps what came after" in question
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.chat.status.status.branch not in {"main", None})
        assert "I heard: three" not in shown(app)
        await talk(app, pilot, "instead")
    assert "turn: three" in git(companion, "log", "--format=%s", "main")
    assert "turn: instead" in git(companion, "log", "--format=%s")
    assert "continues:" in "".join(
        one.read_text() for one in companion.glob("conversations/*/*/*.md")
    )
    assert_sound(companion)


async def test_a_tag_stays_on_the_picked_message(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two")
        await browse(app, pilot, "k", "k", "c")
        await until(pilot, lambda: isinstance(app.screen, NameDialog))
        await pilot.press(*"early")
        await pilot.press("enter")
        await until(pilot, lambda: "early" in git(companion, "tag"))
        await until(pilot, lambda: bool(app.chat.history.names and app.chat.history.names.tags))
        subject = git(companion, "log", "-1", "--format=%s", "early")
        assert "one" in subject
        await browse(app, pilot, "c")
        await until(pilot, lambda: isinstance(app.screen, NameDialog))
        await pilot.press(*"early")
        await pilot.press("enter")
        # It is asked for again, with the reason and what was typed.
        await until(pilot, lambda: "There is already a tag early" in naming(app))
        assert app.screen.query_one(Input).value == "early"
        app.screen.query_one(Input).value = "before the storm"
        await pilot.press("enter")
        await until(pilot, lambda: "before-the-storm" in git(companion, "tag"))
    assert_sound(companion)


async def test_a_branch_switched_by_git_is_followed(companion: Path) -> None:
    """The screen says so, shows the talk of that branch, and the next turn lands there."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "on main")
        git(companion, "switch", "-qc", "other", "HEAD~1")
        await until(pilot, lambda: app.chat.status.status.branch == "other")
        await until(pilot, lambda: "The branch was switched" in flash(app))
        assert "I heard: on main" not in shown(app)
        await talk(app, pilot, "over there")
    assert "turn: over there" in git(companion, "log", "-1", "--format=%s", "other")
    assert_sound(companion)


async def test_a_turn_said_elsewhere_comes_onto_the_screen(companion: Path) -> None:
    """Another program commits on the branch; the transcript follows."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "here")
        git(companion, "revert", "--no-edit", "HEAD")
        await until(pilot, lambda: "I heard: here" not in shown(app))
    assert_sound(companion)


async def test_nothing_is_steered_while_a_reply_is_written(companion: Path) -> None:
    """Every such key says why not."""
    from tests.speaking import Scripted

    backend = Scripted(reply=lambda _prompt: "one two three four", hold_after=1)
    async with chatting(companion, backend) as (app, pilot):
        await say(pilot, "count")
        await until(pilot, lambda: bool(app.chat.view.feed.live_text))
        app.chat.action_undo()
        assert "Wait for the reply" in flash(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
    assert_sound(companion)
