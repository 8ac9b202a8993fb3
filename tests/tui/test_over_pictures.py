"""What stands over the talk as reviewed pictures: prompt, search, memory, graph, an open merge."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from perdure.backends.protocol import PromptMessage
from perdure.companion.conversation.chunk import chunk_path, render_head, render_turn
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.proposals import Proposal, Review, render_review, review_path
from perdure.companion.memory.summaries import Summary, as_written, render_summary, summary_path
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.recall.api import Hit
from perdure.terminal.glyphs import ASCII, UNICODE, Glyphs
from perdure.tui.app import ChatApp
from perdure.tui.conflicts.device_screen import DeviceConflictsScreen
from perdure.tui.conflicts.screen import ConflictsScreen
from perdure.tui.drawers.prompt import PromptView
from perdure.tui.drawers.search import Search, SearchView
from perdure.tui.widgets.composer import Composer
from perdure.views.search import FoundTurn, Marks, SearchResult
from perdure.views.why.explain import ExplainedPart, Explanation
from perdure.views.why.reasons import LeftOut
from tests.devices import meet
from tests.tui.conftest import chat_app, until
from tests.tui.stand_in import ANSWERS, SAYINGS
from tests.tui.test_history_pictures import START, dated, lived, screen, showing

__all__ = ["lived"]
Compare = Callable[..., bool]
VOICE = "persona/20-voice.md"
TALK = ConversationId.begin(START, "9f3a77c0")


@dataclass(frozen=True)
class Look:
    """How a picture is taken."""

    size: tuple[int, int]
    glyphs: Glyphs = UNICODE
    theme: str = "perdure-dark"

    def __str__(self) -> str:
        sort = "ascii" if self.glyphs is ASCII else self.theme.removeprefix("perdure-")
        return f"{self.size[0]}x{self.size[1]}-{sort}"


LOOKS = (
    Look((80, 24)),
    Look((120, 40)),
    Look((120, 40), theme="perdure-light"),
    Look((160, 50)),
    Look((80, 24), ASCII),
)
looks = pytest.mark.parametrize("look", LOOKS, ids=str)


def turn(number: int) -> Turn:
    """Words that stand still."""
    at = START + timedelta(minutes=2 * number)
    reply = Reply("Mira", ANSWERS[number % 4], at + timedelta(seconds=9), backend="local")
    return Turn(number, Message("Ana", SAYINGS[number % 4], at), (reply,))


async def ready(pilot: Pilot[int]) -> ChatApp:
    """The companion is open, and no caret blinks."""
    app = pilot.app
    assert isinstance(app, ChatApp)
    await until(pilot, lambda: app.chat.status.status.state in {"ready", "offline"})
    app.chat.query_one("#composer", Composer).cursor_blink = False
    return app


async def settled(pilot: Pilot[int], wanted: Callable[[], bool]) -> None:
    """Until it is shown, and nothing is under way any more."""
    await until(pilot, wanted)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.pause()


def over(look: Look) -> ChatApp:
    """The program over a scripted companion."""
    return chat_app(theme=look.theme, glyphs=look.glyphs)


def lives(path: Path, look: Look) -> ChatApp:
    """The program over a real repository."""
    app = screen(path, look.glyphs)
    app.theme = look.theme
    return app


# The prompt

PARTS = (
    ExplainedPart("persona", "persona/10-who.md", 0, "# Who\n\nYou are Mira.", 61, "always in"),
    ExplainedPart("persona", VOICE, 0, "# Voice\n\nSpeaks plainly.", 24, "always in"),
    ExplainedPart("lore", "lore/the-weir-above-the-mill.md", 0, "Loud.", 18, "“weir” was said"),
    ExplainedPart(
        "fact",
        "memory/facts/people.md",
        3,
        "Marta is Ana's sister.",
        9,
        "pinned",
        taught_by=f"{TALK}/2",
    ),
    ExplainedPart("recalled", f"{TALK}/1", 0, SAYINGS[1], 41, "fits the message", score=7.25),
    ExplainedPart("turn", f"{TALK}/2..4", 0, f"Ana: {SAYINGS[2]}", 311, "said before"),
    ExplainedPart("turn", f"{TALK}/5", 0, f"Ana: {SAYINGS[3]}", 12, "the newest message"),
)
PROMPT = Explanation(
    TurnId(TALK, 5),
    "matches",
    answer=1,
    assembly=3,
    backend="local",
    model="smollm2-135m",
    recorded="b179c9523d0e6a0f",
    rebuilt="b179c9523d0e6a0f",
    messages=(PromptMessage("system", "You are Mira."), PromptMessage("user", SAYINGS[3])),
    parts=PARTS,
    left_out=(LeftOut("fact", "memory/facts/places.md", "no room", 1.5),),
    tokens=476,
    reply_tokens=58,
    window=2048,
    counter="estimate",
    shared=0.62,
)


@looks
def test_the_prompt(snap_compare: Compare, look: Look) -> None:
    """Parts with their tokens, sources and reasons; beside them the text."""

    async def before(pilot: Pilot[int]) -> None:
        await ready(pilot)

        async def ask() -> Explanation:
            return PROMPT

        view = PromptView(ask, look.glyphs)
        pilot.app.push_screen(view)
        await until(pilot, lambda: view.explanation is not None)
        await pilot.press("j", "j", "j")
        await settled(pilot, lambda: view.at == 3)

    assert snap_compare(over(look), run_before=before, terminal_size=look.size)


# Search


@looks
def test_search(snap_compare: Compare, look: Look) -> None:
    """Moments with what was found marked."""
    moments: list[tuple[FoundTurn, tuple[Marks, ...]]] = []
    for number in (4, 1, 5):
        said = turn(number)
        found_turn = FoundTurn(
            Hit(TurnId(TALK, number), 9.0 - len(moments), "", ("weir",)), "the river", said
        )
        words = [each.text for each in found_turn.said]
        spots = tuple(((at, at + 5),) if (at := text.find("river")) >= 0 else () for text in words)
        moments.append((found_turn, spots))

    async def before(pilot: Pilot[int]) -> None:
        await ready(pilot)

        async def ask(_: str) -> SearchResult:
            return SearchResult(tuple(moments))

        view = SearchView(ask, Search(), look.glyphs)
        pilot.app.push_screen(view)
        await until(pilot, lambda: view.is_mounted)
        view.query_one(Input).cursor_blink = False
        await pilot.press(*"river", "enter")
        await settled(pilot, lambda: view.list.option_count == 3)
        await pilot.press("j")
        await pilot.pause()

    assert snap_compare(over(look), run_before=before, terminal_size=look.size)


# What she knows


@pytest.fixture
def knowing(lived: Path) -> Path:
    """A companion with a talk, facts, a summary, and what waits for an answer."""
    head = ChunkHead(TALK, 1, "the river", ("Ana", "Mira"), started=START)
    chunk = render_head(head) + b"".join(render_turn(turn(number)) for number in (1, 2, 3))
    summary = as_written(Summary(TALK, 3, "Ana told of the weir and of Marta.", "house", "qwen"))
    proposals = (
        Proposal("add", "work", "Ana works at the mill.", source=f"{TALK}/3"),
        Proposal("add", "people", "Marta's birthday is 15 May.", source=f"{TALK}/2"),
    )
    files = {
        chunk_path(TALK, 1, START.date()): chunk,
        "memory/facts/people.md": (
            f"# People\n\n- Marta is Ana's sister. ({TALK}/2)\n"
            f"- Marta's birthday is 14 May. ({TALK}/2) `pinned`\n"
        ).encode(),
        "memory/facts/places.md": f"# Places\n\n- The weir is loud. ({TALK}/1)\n".encode(),
        review_path(TALK): render_review(Review(TALK, 3, proposals, "house", "qwen")),
        summary_path(TALK): render_summary(summary),
    }
    for name, content in files.items():
        (lived / name).parent.mkdir(parents=True, exist_ok=True)
        (lived / name).write_bytes(content)
    dated(lived, 1600, "add", "-A")
    dated(lived, 1600, "commit", "-qm", "memory: what she noted down")
    return lived


@looks
@pytest.mark.parametrize("steps", [0, 2], ids=["review", "people"])
def test_what_she_knows(snap_compare: Compare, knowing: Path, look: Look, steps: int) -> None:
    """What waits for an answer with what contradicts it, and facts with where they came from."""

    async def before(pilot: Pilot[int]) -> None:
        app = await ready(pilot)
        app.chat.action_browse()
        await pilot.press("5")
        await until(
            pilot, lambda: app.chat.panels.memory is not None and app.chat.panels.memory.is_mounted
        )
        memory = app.chat.panels.memory
        assert memory is not None
        await until(pilot, lambda: memory.topic is not None)
        await pilot.press("j", *(["right_square_bracket"] * steps))
        wide = look.size[0] >= 90
        await settled(pilot, lambda: bool(memory.preview.strip()) or not wide)

    assert snap_compare(lives(knowing, look), run_before=before, terminal_size=look.size)


# The graph


def edited(path: Path, minutes: int, name: str, text: str, message: str) -> None:
    """A change by hand, at a time that is the same in every run."""
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text)
    dated(path, minutes, "add", "-A")
    dated(path, minutes, "commit", "-qm", message)


@pytest.fixture
def branched(lived: Path) -> Path:
    """Branches that part, meet, and go on."""
    dated(lived, 1510, "switch", "-q", "softer-voice")
    edited(lived, 1520, VOICE, "# Voice\n\nSpeaks softly.\n", "persona: softer")
    edited(lived, 1530, "persona/30-you.md", "# You\n\nAna likes rivers.\n", "persona: about Ana")
    dated(lived, 1540, "switch", "-qc", "harsh", "main~1")
    edited(lived, 1550, "lore/weir.md", "The weir is loud.\n", "lore: the weir")
    dated(lived, 1560, "switch", "-q", "main")
    dated(lived, 1570, "merge", "-q", "--no-ff", "-m", "merge: harsh into main", "harsh")
    edited(lived, 1580, "memory/facts/bread.md", "- The bread came out well.\n", "memory: bread")
    return lived


@looks
def test_the_graph(snap_compare: Compare, branched: Path, look: Look) -> None:
    """Lanes, names, a tag, and where one is."""
    before = showing("History")
    assert snap_compare(lives(branched, look), run_before=before, terminal_size=look.size)


# An open merge


@pytest.fixture
def torn(branched: Path) -> Path:
    """A merge that git left open: one text with two places, one file that a side took away."""
    text = "# Voice\n\n{}\n\nNo lists.\n\nNo jokes.\n\nNo hurry.\n\n{}\n"
    edited(branched, 1590, "lore/mill.md", "The mill.\n", "lore: the mill")
    edited(branched, 1600, VOICE, text.format("Plain.", "Brief."), "persona: in two parts")
    dated(branched, 1610, "switch", "-qc", "gentle")
    edited(branched, 1620, VOICE, text.format("Gentle.", "Takes her time."), "persona: gentle")
    dated(branched, 1620, "rm", "-q", "lore/mill.md")
    dated(branched, 1620, "commit", "-qm", "lore: no mill")
    dated(branched, 1630, "switch", "-q", "main")
    edited(branched, 1640, VOICE, text.format("Loud.", "Very brief."), "persona: loud")
    edited(branched, 1650, "lore/mill.md", "The mill stands still.\n", "lore: the mill rests")
    with pytest.raises(subprocess.CalledProcessError):
        dated(branched, 1660, "merge", "-q", "gentle")
    return branched


@looks
def test_an_open_merge(snap_compare: Compare, torn: Path, look: Look) -> None:
    """The files that wait, and what each side says in each place."""

    async def before(pilot: Pilot[int]) -> None:
        app = await ready(pilot)
        await until(pilot, lambda: app.chat.merge.open_join is not None)
        app.chat.action_merge()
        await until(pilot, lambda: isinstance(app.screen, ConflictsScreen))
        await pilot.press("j")
        shown: Screen[object] = app.screen
        assert isinstance(shown, ConflictsScreen)
        await settled(pilot, lambda: "Gentle." in shown.preview)

    assert snap_compare(lives(torn, look), run_before=before, terminal_size=look.size)


@pytest.fixture
def apart(lived: Path, tmp_path: Path) -> Path:
    """The voice, changed in two places on this device and on another, and synced."""
    words = "# Voice\n\nSpeaks at length.\n\nNever hurries.\n\nLikes rain.\n"
    (lived / VOICE).write_text(words)
    dated(lived, 1700, "commit", "-qam", "persona: voice")
    there = tmp_path / "there"
    subprocess.run(["git", "clone", "-q", str(lived), str(there)], check=True)
    (there / VOICE).write_text(words.replace("at length", "briefly").replace("rain", "snow"))
    dated(there, 1710, "commit", "-qam", "persona: briefly")
    (lived / VOICE).write_text(words.replace("at length", "softly").replace("rain", "fog"))
    dated(lived, 1720, "commit", "-qam", "persona: softly")
    meet(lived, there)
    return lived


@pytest.mark.parametrize("look", [LOOKS[1], LOOKS[4]], ids=str)
def test_conflicts_between_devices(snap_compare: Compare, apart: Path, look: Look) -> None:
    """The places, and what each device says."""

    async def before(pilot: Pilot[int]) -> None:
        app = await ready(pilot)
        app.chat.action_conflicts()
        await until(
            pilot,
            lambda: isinstance(app.screen, DeviceConflictsScreen) and app.screen.is_mounted,
        )
        shown: Screen[object] = app.screen
        assert isinstance(shown, DeviceConflictsScreen)
        await settled(pilot, lambda: "softly" in shown.preview)

    assert snap_compare(lives(apart, look), run_before=before, terminal_size=look.size)
