"""`docs/keys.md` is what the bindings say of themselves.

Write it anew with: python -m tests.tui.test_keys
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import TextArea

from perdure.tui.app import ChatApp
from perdure.tui.chat.screen import ChatScreen
from perdure.tui.conflicts.device_screen import DeviceConflictsScreen
from perdure.tui.conflicts.screen import ConflictsScreen
from perdure.tui.dialogs.backend_picker import BackendPicker
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.help import FIXED, HelpScreen, named
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import Question
from perdure.tui.dialogs.text import Reading
from perdure.tui.drawers.drawer import Drawer
from perdure.tui.drawers.prompt import PromptView
from perdure.tui.drawers.search import SearchView
from perdure.tui.keys import hints_for
from perdure.tui.memory.screen import MemoryScreen
from perdure.tui.palette import _CHAT
from perdure.tui.timeline.screen import TimelineScreen
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.composer import Composer
from perdure.tui.widgets.rail import Rail

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"
TOP = """\
# Keys of the chat screen

Generated from the program's bindings; a test keeps it up to date. `F1` shows the same list on the
screen.

There are two layers. While you write, only ctrl keys, F keys and `esc` are commands. `esc` stops a
reply or, if there is none, steps back; it never destroys anything and never starts writing. While
you browse the conversation or the sidebar, single letters are commands; in the conversation, any
other letter starts a message.

The id is the binding's name; keys without one are fixed.
"""
PLACES: tuple[tuple[str, Sequence[BindingType]], ...] = (
    ("Writing", Composer.BINDINGS[len(Composer.BINDINGS) - 2 :]),
    ("Browsing the conversation", TranscriptView.BINDINGS),
    ("Conversations", Rail.BINDINGS),
    ("Everywhere", [*ChatScreen.BINDINGS, *ChatApp.BINDINGS]),
    ("In the list of backends", BackendPicker.BINDINGS),
    ("The timeline", TimelineScreen.BINDINGS),
    ("An open merge", ConflictsScreen.BINDINGS),
    ("Conflicts between devices", DeviceConflictsScreen.BINDINGS),
    ("Memory", MemoryScreen.BINDINGS),
    ("The prompt", PromptView.BINDINGS),
    ("Search", SearchView.BINDINGS),
    ("In the prompt and in search", Drawer.BINDINGS),
    ("In a long text", Reading.BINDINGS),
    ("In an edit box", Editing.BINDINGS),
    ("When asked a question", Question.BINDINGS),
    ("When asked for a name", NameDialog.BINDINGS),
    ("In the list of keys", HelpScreen.BINDINGS),
)


def rendered() -> str:
    """The whole page."""
    parts = [TOP]
    for title, bindings in PLACES:
        rows = ["| key | what it does | id |", "|---|---|---|"]
        rows += [f"| {code(keys)} | {words} | |" for keys, words in FIXED.get(title, ())]
        rows += [
            f"| {code(named(one))} | {one.description} | `{one.id}` |" for one in own(bindings)
        ]
        parts.append(f"## {title}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def code(keys: str) -> str:
    """Keys as they are set in the page."""
    return " ".join(f"`{key}`" for key in keys.split())


def own(bindings: Sequence[BindingType]) -> list[Binding]:
    """Bindings; all of ours are of this class."""
    return [one for one in bindings if isinstance(one, Binding)]


def test_the_page_is_what_the_bindings_say() -> None:
    """A key that is added, moved or renamed has to be written down."""
    assert PAGE.read_text("utf-8") == rendered()


def test_every_binding_has_an_id_of_its_own() -> None:
    """Ids name bindings, so there is none twice and none missing."""
    ids = [one.id for _, bindings in PLACES for one in own(bindings)]
    assert None not in ids
    assert len(ids) == len(set(ids))


OWNERS: tuple[type, ...] = (
    ChatScreen, ChatApp, TimelineScreen, ConflictsScreen, DeviceConflictsScreen, MemoryScreen,
    PromptView, SearchView, Drawer, BackendPicker, Question, Editing, NameDialog, Reading,
    HelpScreen,
)  # fmt: skip


def test_every_key_hint_and_command_has_its_action() -> None:
    """An action is named by a string: nothing else would say that there is none of that name."""
    hints = [
        hint for place in ("rail", "transcript", None) for hint in hints_for(place, plain=True)
    ]
    wanted: list[tuple[type, str]] = [(ChatScreen, action) for *_, action in (*hints, *_CHAT)]
    for widget in (Composer, TranscriptView, Rail):
        wanted += [(widget, one.action) for one in own(widget.__dict__["BINDINGS"])]
    for owner in OWNERS:
        wanted += [(owner, one.action) for one in own(owner.__dict__["BINDINGS"])]
        wanted += [(owner, action) for *_, action in getattr(owner, "HINTS", ())]
    assert len(wanted) > 200
    missing = []
    for owner, action in wanted:
        where, _, name = action.partition("(")[0].rpartition(".")
        screen = owner if issubclass(owner, Screen) else ChatScreen
        acts = {"app": ChatApp, "screen": screen}.get(where, owner)
        if not hasattr(acts, f"action_{name}"):
            missing.append((owner, action))
    assert missing == []


def test_the_composer_keeps_the_editing_keys() -> None:
    """All of the text box's keys but those that mean something else on this screen."""
    dropped = {key for one in own(TextArea.BINDINGS) for key in one.key.split(",")}
    dropped -= {key for one in own(Composer.BINDINGS) for key in one.key.split(",")}
    assert dropped == {"f6", "f7"}


if __name__ == "__main__":
    PAGE.write_text(rendered(), "utf-8")
