"""Which keys are shown where: in the status line, and in the help."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import BindingType

from perdure.tui.dialogs.backend_picker import BackendPicker
from perdure.tui.dialogs.help import FIXED, KeyGroup, described
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.rail import Rail
from perdure.tui.widgets.status_line import Hint

_EVERYWHERE: tuple[Hint, ...] = (
    ("F1", "keys", "screen.keys"),
    ("ctrl+p", "commands", "app.command_palette"),
)


def hints_for(place: str | None, *, plain: bool) -> tuple[Hint, ...]:
    """The keys that help most in the widget with this id."""
    here: tuple[Hint, ...]
    if place == "rail":
        here = (
            ("j k" if plain else "↑↓", "preview", "screen.nothing"),
            ("enter", "stay", "screen.nothing"),
            ("esc", "back", "screen.back"),
        )
    elif place == "transcript":
        here = (
            ("j k", "move", "screen.nothing"),
            ("/", "search", "screen.search"),
            ("p", "prompt", "screen.prompt"),
            ("y", "copy", "screen.copy_message"),
            ("e", "correct", "screen.edit"),
            ("x", "aside", "screen.aside"),
            ("r", "again", "screen.regenerate"),
            ("z", "undo", "screen.undo"),
            ("i", "write", "screen.compose"),
        )
    else:
        here = (("ctrl+b", "sidebar", "screen.rail"), ("esc", "browse", "screen.back"))
    return (*here, *_EVERYWHERE)


_HERE = {"transcript": "Browsing the conversation", "rail": "Conversations"}


def key_groups(
    screen: Sequence[BindingType], app: Sequence[BindingType], place: str | None
) -> list[KeyGroup]:
    """What the help shows, first what works in the widget with this id.

    ``screen`` and ``app`` are the bindings that hold everywhere.
    """
    from perdure.tui.drawers.drawer import Drawer
    from perdure.tui.drawers.prompt import PromptView
    from perdure.tui.drawers.search import SearchView

    drawers = [*PromptView.BINDINGS, *SearchView.BINDINGS, *Drawer.BINDINGS]
    writing = [*FIXED["Writing"], ("pgup pgdn", "Scroll the conversation")]
    groups: list[KeyGroup] = [
        ("Writing", writing),
        ("Browsing the conversation", described(TranscriptView.BINDINGS)),
        ("Conversations", [*FIXED["Conversations"], *described(Rail.BINDINGS)]),
        ("The prompt, and search", [*FIXED["Search"], *described(drawers)]),
        ("In the list of backends", described(BackendPicker.BINDINGS)),
        ("Everywhere", [*FIXED["Everywhere"], *described(screen), *described(app)]),
    ]
    first = _HERE.get(place or "", "Writing")
    return sorted(groups, key=lambda group: group[0] != first)
