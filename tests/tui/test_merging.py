"""Merging on the screen, over real repositories: what is said before, conflicts, the way out."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.pilot import Pilot

from perdure.tui.app import ChatApp
from perdure.tui.conflicts.screen import ConflictsScreen
from tests.conftest import assert_sound, git
from tests.tui.conftest import shown, until
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import asked, browse, flash, talk
from tests.tui.test_timeline import edit, opened, rows

VOICE = "persona/20-voice.md"
LORE = "lore/weir.md"


def split(path: Path, *, ours: str = "Loud.", theirs: str = "Soft.") -> None:
    """Two branches that differ in the voice; one of them has a file that the other lacks."""
    edit(path, VOICE, "# Voice\n\nWarm.\n\nBrief.\n", "persona: warm")
    edit(path, LORE, "The weir is loud.\n", "lore: the weir")
    git(path, "switch", "-qc", "side")
    edit(path, VOICE, f"# Voice\n\n{theirs}\n\nBrief.\n", "persona: soft")
    edit(path, "persona/30-more.md", "# More\n\nHums.\n", "persona: hums")
    edit(path, LORE, "The weir is very loud.\n", "lore: very loud")
    git(path, "switch", "-q", "main")
    if ours:
        edit(path, VOICE, f"# Voice\n\n{ours}\n\nBrief.\n", "persona: loud")


async def conflicts(app: ChatApp, pilot: Pilot[int]) -> ConflictsScreen:
    """The list of conflicts, once it is there."""
    await until(pilot, lambda: isinstance(app.screen, ConflictsScreen) and app.screen.is_mounted)
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, ConflictsScreen)
    return screen


def listed(screen: ConflictsScreen) -> list[str]:
    """The rows of the list of conflicts."""
    options = screen.rows
    return [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]


async def merge_side(app: ChatApp, pilot: Pilot[int]) -> str:
    """Merge from the list of branches; gives what was said before."""
    timeline = await opened(app, pilot, "Branches")
    await until(pilot, lambda: any("side" in row for row in rows(app)))
    timeline.rows.highlighted = next(at for at, row in enumerate(rows(app)) if "side" in row)
    await pilot.press("m")
    said = await asked(app, pilot)
    await pilot.press("down", "enter")
    return said


async def test_a_branch_is_merged_from_the_list_of_branches(companion: Path) -> None:
    """The plan is said first, and enter alone leaves it; merged, it is one operation."""
    split(companion, ours="")
    edit(companion, "lore/here.md", "Here.\n", "lore: here")
    tip = git(companion, "rev-parse", "HEAD")
    async with chatting(companion) as (app, pilot):
        timeline = await opened(app, pilot, "Branches")
        await until(pilot, lambda: any("side" in row for row in rows(app)))
        timeline.rows.highlighted = next(at for at, row in enumerate(rows(app)) if "side" in row)
        await pilot.press("m")
        said = await asked(app, pilot)
        assert "Merges side into main" in said
        assert f"changes {VOICE}" in said
        await pilot.press("enter")
        await until(pilot, lambda: "Nothing was changed" in flash(app))
        await until(pilot, lambda: not app.chat.conversation.is_acting)
        assert git(companion, "rev-parse", "HEAD") == tip
        await pilot.press("m")
        await asked(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "side is merged into main" in flash(app))
        assert len(git(companion, "rev-parse", "HEAD^@").split()) == 2
        await pilot.press("z")
        await until(pilot, lambda: git(companion, "rev-parse", "HEAD") == tip)
    assert_sound(companion)


async def test_conflicts_are_listed_and_settled_one_by_one(companion: Path) -> None:
    """She talks on as on the old side; each file is settled by one side; then one commit."""
    split(companion)
    git(companion, "rm", "-q", LORE)
    git(companion, "commit", "-qm", "lore: no weir")
    async with chatting(companion) as (app, pilot):
        said = await merge_side(app, pilot)
        assert "different ways" in said
        screen = await conflicts(app, pilot)
        assert [row.partition("  ")[0] for row in listed(screen)] == [f"▲ {LORE}", f"▲ {VOICE}"]
        assert "deleted here" in listed(screen)[0]
        await pilot.press("j")
        assert "Loud." in screen.preview
        assert "Soft." in screen.preview
        assert "Warm." not in screen.preview
        assert app.chat.status.status.merge == "merge open, 2 to resolve"
        await pilot.press("m")
        await until(pilot, lambda: "not resolved yet" in flash(app))

        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
        await talk(app, pilot, "in between")
        await browse(app, pilot, "m")
        screen = await conflicts(app, pilot)
        await pilot.press("o")
        await until(pilot, lambda: len(listed(screen)) == 1)
        await pilot.press("t")
        await until(pilot, lambda: listed(screen) == ["Every file is resolved."])
        await pilot.press("m")
        await until(pilot, lambda: app.screen is app.chat)
        await until(pilot, lambda: "side is merged into main" in flash(app))
        assert app.chat.status.status.merge == ""
        assert "I heard: in between" in shown(app)
    assert git(companion, "show", f"HEAD:{VOICE}") == "# Voice\n\nSoft.\n\nBrief.\n"
    assert not (companion / LORE).exists()
    assert git(companion, "rev-parse", "HEAD^2") == git(companion, "rev-parse", "side")
    assert_sound(companion)


async def test_an_open_merge_is_there_after_a_restart_and_given_up(companion: Path) -> None:
    """It is told at once, and shown; giving it up asks first, and changes no branch."""
    split(companion)
    tip = git(companion, "rev-parse", "HEAD")
    async with chatting(companion) as (app, pilot):
        await merge_side(app, pilot)
        await conflicts(app, pilot)
    async with chatting(companion) as (app, pilot):
        await until(pilot, lambda: "A merge of side into main is open" in flash(app))
        await browse(app, pilot, "m")
        screen = await conflicts(app, pilot)
        assert "1 conflict" in listed(screen)[0]
        await pilot.press("A")
        await asked(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and not app.chat.conversation.is_acting)
        assert git(companion, "rev-parse", "MERGE_HEAD")
        await pilot.press("A")
        await asked(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen is app.chat)
        assert "aborted" in flash(app)
        assert app.chat.status.status.merge == ""
    assert git(companion, "rev-parse", "HEAD") == tip
    assert not git(companion, "status", "--porcelain")
    assert_sound(companion)


async def test_what_git_does_to_an_open_merge_is_followed(companion: Path) -> None:
    """Begun by git it is told, settled by git it is listed so, concluded by git it closes."""
    split(companion)
    async with chatting(companion) as (app, pilot):
        merged = subprocess.run(["git", "-C", companion, "merge", "-q", "side"], check=False)
        assert merged.returncode == 1
        await until(pilot, lambda: "merge open" in app.chat.status.status.merge)
        await browse(app, pilot, "m")
        screen = await conflicts(app, pilot)
        (companion / VOICE).write_text("# Voice\n\nBoth.\n")
        await until(pilot, lambda: "resolved" in listed(screen)[0])
        git(companion, "add", "-A")
        git(companion, "commit", "-qm", "merge: by git")
        await until(pilot, lambda: app.screen is app.chat)
        assert app.chat.status.status.merge == ""
    assert_sound(companion)


@pytest.mark.parametrize("left", [True, False], ids=["marks-left", "settled"])
async def test_a_file_is_settled_in_the_users_editor(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, left: bool
) -> None:
    """Without marks it is settled by that; with some left the list says how many."""
    split(companion)
    script = tmp_path / "editor"
    words = "<<<<<<< a\\nx\\n=======\\ny\\n>>>>>>> b\\n" if left else "# Voice\\n\\nBoth.\\n"
    script.write_text(f"#!/bin/sh\nprintf '{words}' > \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(script))
    async with chatting(companion) as (app, pilot):
        monkeypatch.setattr(app, "suspend", nullcontext)
        await merge_side(app, pilot)
        screen = await conflicts(app, pilot)
        await pilot.press("E")
        if left:
            await until(pilot, lambda: "x" in screen.preview and "y" in screen.preview)
            assert "1 conflict" in listed(screen)[0]
        else:
            await until(pilot, lambda: listed(screen) == ["Every file is resolved."])
            await pilot.press("m")
            await until(pilot, lambda: app.screen is app.chat)
    if not left:
        assert git(companion, "show", f"HEAD:{VOICE}") == "# Voice\n\nBoth.\n"
        assert_sound(companion)


async def test_a_terminal_that_cannot_be_left_names_the_file(companion: Path) -> None:
    """As in a browser: nothing is lost, and the file is named."""
    split(companion)
    async with chatting(companion) as (app, pilot):
        await merge_side(app, pilot)
        await conflicts(app, pilot)
        await pilot.press("E")
        await until(pilot, lambda: VOICE in flash(app))


async def test_slash_merge_and_the_rail_merge_too(companion: Path) -> None:
    """By name from the message box, and by `m` on a branch in the rail."""
    split(companion)
    async with chatting(companion) as (app, pilot):
        app.chat.composer.put("/merge side")
        await pilot.press("enter")
        assert "Merges side into main" in await asked(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat and not app.chat.conversation.is_acting)
        rail = app.chat.rail
        rail.focus()
        await until(pilot, lambda: any(node.children for node in rail.root.children))
        nodes = [node for group in rail.root.children for node in group.children]
        rail.move_cursor(next(node for node in nodes if str(node.label) == "side"))
        await pilot.press("m")
        assert "Merges side into main" in await asked(app, pilot)
