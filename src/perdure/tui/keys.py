"""Which keys are shown where: in the status line, and in the help."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding, BindingType

from perdure.tui.dialogs.backend_picker import BackendPicker
from perdure.tui.dialogs.help import KeyGroup
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
        here = (("ctrl+b", "rail", "screen.rail"), ("esc", "browse", "screen.back"))
    return (*here, *_EVERYWHERE)


FIXED: dict[str, tuple[tuple[str, str], ...]] = {
    "Writing": (
        ("enter", "Send"),
        ("ctrl+j", "New line"),
        ("up", "Your last message, in an empty box"),
        ("/new", "Begin a new conversation"),
        ("/answer", "Ask for a reply that is missing"),
        ("/backend", "Choose who speaks; with a name, from now on"),
        ("/next NAME", "Let another backend give the next reply only"),
        ("/merge", "What the open merge still needs; with a branch's name, merge it"),
        ("/confirm", "Agree to a backend that came from outside, or not"),
        ("/help", "Keys that work here"),
        ("/quit", "Leave"),
    ),
    "Conversations": (
        ("up down", "Move; the conversation under the cursor is shown"),
        ("enter", "Stay there; on a branch, go there; on a tag, continue from there"),
    ),
    "Everywhere": (
        ("tab", "Next pane"),
        ("ctrl+p", "Commands"),
        ("ctrl+c", "Copy the selected text"),
    ),
    "The timeline": (("up down pgup pgdn", "Move; beside the list is what the row is about"),),
    "An open merge": (("up down pgup pgdn", "Move; beside the list is what each side says"),),
    "Memory": (
        ("up down pgup pgdn", "Move; beside the list is what the row is about"),
        ("tab", "The list of lists, where it is wide enough"),
    ),
    "Search": (("enter", "Search; on a moment, go there"),),
    "In a question": (
        ("up down", "Move between the choices; the first one changes nothing"),
        ("enter", "Take the choice"),
    ),
    "In a question for a name": (("enter", "Take the name"),),
}
"""Keys that no binding of ours describes: the message box, its slash commands, Textual's own."""


_HERE = {"transcript": "Browsing the conversation", "rail": "Conversations"}


def key_groups(
    screen: Sequence[BindingType], app: Sequence[BindingType], place: str | None
) -> list[KeyGroup]:
    """What the help shows, first what works in the widget with this id.

    ``screen`` and ``app`` are the bindings that hold everywhere.
    """
    writing = [*FIXED["Writing"], ("pgup pgdn", "Scroll the conversation")]
    groups: list[KeyGroup] = [
        ("Writing", writing),
        ("Browsing the conversation", _told(TranscriptView.BINDINGS)),
        ("Conversations", [*FIXED["Conversations"], *_told(Rail.BINDINGS)]),
        ("The prompt, and search", [*FIXED["Search"], *_drawers()]),
        ("In the list of backends", _told(BackendPicker.BINDINGS)),
        ("Everywhere", [*FIXED["Everywhere"], *_told(screen), *_told(app)]),
    ]
    first = _HERE.get(place or "", "Writing")
    return sorted(groups, key=lambda group: group[0] != first)


def _drawers() -> list[tuple[str, str]]:
    from perdure.tui.drawers.drawer import Drawer
    from perdure.tui.drawers.prompt import PromptView
    from perdure.tui.drawers.search import SearchView

    return [
        *_told(PromptView.BINDINGS),
        *_told(SearchView.BINDINGS),
        *_told(Drawer.BINDINGS),
    ]


def panel_keys(title: str, bindings: Sequence[BindingType]) -> list[KeyGroup]:
    """What the help shows over a panel."""
    return [(title, [*FIXED[title], *_told(bindings)])]


def named(binding: Binding) -> str:
    """A binding's keys as they are read, a space between them."""
    return " ".join(_NAMES.get(key, key) for key in binding.key.split(","))


def _told(bindings: Sequence[BindingType]) -> list[tuple[str, str]]:
    return [
        (named(binding), binding.description)
        for binding in bindings
        if isinstance(binding, Binding) and binding.description
    ]


_NAMES = {
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "slash": "/",
    "f1": "F1",
    "f2": "F2",
    "f4": "F4",
    "f6": "F6",
    "asterisk": "*",
}
