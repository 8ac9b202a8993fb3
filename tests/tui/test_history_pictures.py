"""The screens of the history as reviewed pictures, over a repository whose dates stand still."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.git.operations.branches import Branch
from perdure.snapshot.conversation.transcript import TurnMarks
from perdure.terminal.glyphs import ASCII, UNICODE, Glyphs
from perdure.tui.app import ChatApp
from perdure.tui.dialogs.question import Choice, Question
from perdure.tui.run import opener_of
from perdure.tui.timeline.lists import Tab
from perdure.views.timeline import RefNames, TagName
from tests.lives import BEGIN
from tests.speaking import Scripted
from tests.tui.conftest import chat_app, until
from tests.tui.stand_in import NOW, ScriptedSession, life

Compare = Callable[..., bool]
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def dated(path: Path, minutes: int, *words: str) -> None:
    """Git, at a time that is the same in every run."""
    at = f"{START + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}+00:00"
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.invalid"), ("DATE", at))
    }
    subprocess.run(
        ["git", "-C", str(path), *words],
        check=True,
        env={**os.environ, **who},
        capture_output=True,
    )


@pytest.fixture
def lived(tmp_path: Path) -> Path:
    """A companion with changes of every kind, two branches and a tag."""
    path = tmp_path / "mira"
    path.mkdir()
    manifest = Manifest(name="rehearsal", driver="embedded", model="smollm2-135m-instruct")
    made = new_companion(template="friend", name="Mira", user="Ana", manifest=manifest, at=BEGIN)
    # Ids of commits are in the pictures: the texts of the templates must not be in the commits.
    files = {name: made[name] for name in made if name.startswith("backends/")}
    files["companion.yaml"] = b"format: 1\nname: Mira\nuser: Ana\nbackends: [rehearsal]\n"
    files["persona/10-who.md"] = b"# Who\n\nYou are Mira.\n"
    files["persona/20-voice.md"] = b"# Voice\n\nSpeaks at length, and warmly.\n"
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    dated(path, 0, "init", "-q", "-b", "main")
    dated(path, 0, "add", "-A")
    dated(path, 0, "commit", "-qm", "companion: Mira begins")
    (path / "persona" / "20-voice.md").write_text("# Voice\n\nSpeaks plainly. No lists.\n")
    dated(path, 60, "commit", "-qam", "persona: plain speech")
    dated(path, 61, "tag", "before-the-move")
    (path / "memory" / "facts").mkdir(parents=True, exist_ok=True)
    (path / "memory" / "facts" / "anna.md").write_text("- Her birthday is on 14 May.\n")
    dated(path, 90, "add", "-A")
    dated(path, 90, "commit", "-qm", "memory: Anna's birthday")
    dated(path, 90, "branch", "softer-voice", "HEAD~1")
    (path / "persona" / "20-voice.md").write_text("# Voice\n\nSpeaks warmly. No lists, ever.\n")
    dated(path, 1500, "commit", "-qam", "persona: warmer")
    return path


def screen(path: Path, glyphs: Glyphs = UNICODE) -> ChatApp:
    """The program over it."""
    app = ChatApp(opener_of(path, [], Scripted()), glyphs, clock=lambda: NOW)
    app.animation_level = "none"
    return app


def showing(tab: Tab, *keys: str) -> Callable[[Pilot[int]], object]:
    """Open the timeline at a list, press keys, and wait for what is beside it."""

    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, ChatApp)
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        app.chat.panels.open_timeline(tab)
        await until(
            pilot,
            lambda: app.chat.panels.timeline is not None and app.chat.panels.timeline.is_mounted,
        )
        timeline = app.chat.panels.timeline
        assert timeline is not None
        await until(pilot, lambda: timeline.rows.option_count > 1)
        await pilot.press(*keys)
        wide = app.size.width >= 90
        await until(pilot, lambda: bool(timeline.preview.strip()) or not wide)
        await pilot.pause()
        await pilot.pause()

    return before


@pytest.mark.parametrize("size", [(70, 20), (120, 30)], ids=["70x20", "120x30"])
def test_the_history(snap_compare: Compare, lived: Path, size: tuple[int, int]) -> None:
    assert snap_compare(screen(lived), run_before=showing("History"), terminal_size=size)


def test_the_history_in_ascii(snap_compare: Compare, lived: Path) -> None:
    app = screen(lived, ASCII)
    assert snap_compare(app, run_before=showing("History"), terminal_size=(100, 24))


def test_the_branches(snap_compare: Compare, lived: Path) -> None:
    assert snap_compare(screen(lived), run_before=showing("Branches"), terminal_size=(120, 24))


def test_the_operations(snap_compare: Compare, lived: Path) -> None:
    app = screen(lived)
    assert snap_compare(app, run_before=showing("Operations"), terminal_size=(120, 24))


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_a_question(snap_compare: Compare, glyphs: Glyphs) -> None:
    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, ChatApp)
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        app.chat.composer.cursor_blink = False
        says = (
            "Takes back “persona: warmer” (20 Nov 2026 10:00).",
            "  changes persona/20-voice.md",
            "Answered under it: 2 turns, “rain” (22 Nov 18:03) and “wind” (22 Nov 18:05).",
        )
        choices = (
            Choice("", "Leave it as it is"),
            Choice("keep", "Take it back", "She may keep that voice for a while."),
            Choice("new", "Take it back, and begin a new conversation"),
        )
        app.push_screen(Question("Take back a change", says, choices, glyphs))
        await pilot.pause()
        await pilot.press("down")
        await pilot.pause()

    app = chat_app(glyphs=glyphs)
    assert snap_compare(app, run_before=before, terminal_size=(70, 20))


def test_the_rail_and_the_marks_of_turns(snap_compare: Compare) -> None:
    """Branches and tags below the conversations; other answers and what is set aside."""
    transcript = life(3)
    transcript.beside = TurnMarks({6: (2, 3)}, frozenset({5}))
    names = RefNames(
        (
            Branch("main", "a" * 40, NOW, "turn: bread", is_current=True),
            Branch("softer-voice", "b" * 40, NOW, "turn: bread", is_current=False),
        ),
        (TagName("before-the-move", "c" * 40),),
    )

    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, ChatApp)
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        app.chat.composer.cursor_blink = False
        app.chat.conversations.fill_names(names)
        await pilot.pause()

    app = chat_app(ScriptedSession(), transcript)
    assert snap_compare(app, run_before=before, terminal_size=(120, 36))
