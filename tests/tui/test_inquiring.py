"""The prompt inspector and search on the screen, over real repositories."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from perdure.tui.app import ChatApp
from perdure.tui.drawers.drawer import Drawer
from perdure.tui.drawers.prompt import PromptView
from perdure.tui.drawers.search import SearchView
from tests.conftest import git
from tests.tui.conftest import until
from tests.tui.remembered import SAID, remembering
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import flash


def drawer(app: ChatApp) -> Drawer:
    assert isinstance(app.screen, Drawer)
    return app.screen


def rows(app: ChatApp) -> list[str]:
    """The list as text."""
    options = drawer(app).query_one("#drawer-list", OptionList)
    return [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]


def beside(app: ChatApp) -> str:
    return str(drawer(app).query_one("#drawer-text", Static).render())


def head(app: ChatApp) -> str:
    return str(drawer(app).query_one("#drawer-head", Static).render())


async def inspecting(app: ChatApp, pilot: Pilot[int]) -> PromptView:
    await until(pilot, lambda: isinstance(app.screen, PromptView))
    view = app.screen
    assert isinstance(view, PromptView)
    await until(pilot, lambda: view.explanation is not None)
    await pilot.pause()
    return view


async def test_p_shows_what_a_turn_was_answered_to_and_enter_goes_to_a_part(
    companion: Path,
) -> None:
    """Parts with source, tokens, reason and text; the hash; the exact messages; a jump."""
    turns = await remembering(companion)
    tip = git(companion, "rev-parse", "HEAD")
    async with chatting(companion) as (app, pilot):
        app.chat.action_browse()
        await pilot.press("p")
        view = await inspecting(app, pilot)
        assert f"“{SAID[2]}”" in head(app)
        assert turns[2] not in head(app)
        assert "The hash matches" in head(app)
        assert "shared with the turn before" in head(app)
        assert "persona/10-who.md" in rows(app)[0]
        assert "always in" in rows(app)[0]
        await until(pilot, lambda: "You are Mira" in beside(app))
        await pilot.press("m")
        await until(pilot, lambda: "characters" in rows(app)[0])
        await pilot.press("G")
        await until(pilot, lambda: "I work at the mill" in beside(app))
        assert view.explanation is not None
        assert len(rows(app)) == len(view.explanation.messages)
        await pilot.press("m")
        first = next(at for at, row in enumerate(rows(app)) if f"“{SAID[0][:12]}" in row)
        drawer(app).list.highlighted = first
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        assert str(app.chat.conversation.picked_turn) == turns[0]
    assert git(companion, "rev-parse", "HEAD") == tip


async def test_what_would_be_sent_now_names_facts_and_leads_to_their_turn(companion: Path) -> None:
    """Nothing is sent; what was left out is told; `o` goes to the turn that taught a fact."""
    turns = await remembering(companion)
    async with chatting(companion) as (app, pilot):
        app.chat.action_browse()
        await pilot.press("P")
        await until(pilot, lambda: "Write a message first" in flash(app))
        app.chat.composer.put("when is her birthday?")
        app.chat.action_prompt_next()
        view = await inspecting(app, pilot)
        assert "What would be sent now" in head(app)
        at = next(at for at, row in enumerate(rows(app)) if "memory/facts/people.md:4" in row)
        drawer(app).list.highlighted = at
        await until(pilot, lambda: "turn 2" in beside(app).partition("taught by")[2])
        assert view.explanation is not None
        assert "French" not in "".join(part.text for part in view.explanation.parts)
        await pilot.press("o")
        await until(pilot, lambda: app.screen is app.chat)
        assert str(app.chat.conversation.picked_turn) == turns[1]
        assert app.chat.composer.text == "when is her birthday?"


async def test_search_goes_to_moments_and_n_goes_on(companion: Path) -> None:
    turns = await remembering(companion)
    async with chatting(companion) as (app, pilot):
        app.chat.action_browse()
        await pilot.press("n")
        await until(pilot, lambda: "You have not searched yet" in flash(app))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.screen, SearchView))
        app.screen.query_one(Input).value = "sisters' birthdays"
        await pilot.press("enter")
        await until(pilot, lambda: "moment" in head(app) and len(rows(app)) > 0)
        assert "Marta has her birthday" in rows(app)[0]
        await until(pilot, lambda: "I heard: my sister Marta" in beside(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        assert str(app.chat.conversation.picked_turn) == turns[1]
        if len(app.chat.panels.last_search.turns) > 1:
            await pilot.press("n")
            assert app.chat.conversation.picked_turn == app.chat.panels.last_search.turns[1]
            await pilot.press("N")
        await pilot.press("N")
        await until(pilot, lambda: "first moment" in flash(app))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.screen, SearchView))
        app.screen.query_one(Input).value = "zeppelin"
        await pilot.press("enter")
        await until(pilot, lambda: rows(app) == ["No earlier moment has these words."])
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
