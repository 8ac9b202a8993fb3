"""What two devices changed differently: both versions of each place, and choosing between them."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from perdure.actions.errors import CannotAct
from perdure.actions.sync.conflicts import Choice, OpenConflict, open_conflicts, settle
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.errors import Problem
from perdure.git.repository.repository import Repository
from perdure.plural import plural
from perdure.terminal.glyphs import Glyphs
from perdure.tui.conflicts.device_rows import Place, place_row, place_text, places_of
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.question import one_row
from perdure.tui.host import ChatHost
from perdure.tui.panel import PanelScreen
from perdure.tui.workers import work
from perdure.views.reader import BackgroundReader

_IN_BOX = "What you wrote is in the message box"
_NOTHING = "Nothing was changed differently on two devices, or it is settled."
_KEYS: dict[Choice, str] = {"keep": "o", "other": "t", "both": "b"}
_SAID: dict[Choice, str] = {"keep": "as it is", "other": "as on the other device", "both": "both"}


class DeviceConflictsScreen(PanelScreen):
    """One row for each place. Nothing waits for it: she speaks with what is in use."""

    NAME = "devices"
    HINTS = (
        ("o", "keep", "screen.settle('keep')"),
        ("t", "take the other", "screen.settle('other')"),
        ("b", "both", "screen.settle('both')"),
        ("esc", "back", "screen.leave"),
        ("?", "keys", "screen.keys"),
    )
    BINDING_GROUP_TITLE = "Conflicts between devices"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,1", "leave", "Back to the conversation", id="devices.leave"),
        Binding("f4,3", "timeline", "The timeline", id="devices.timeline"),
        Binding("f6,5", "memory", "Memory", id="devices.memory"),
        Binding("j", "move(1)", "Down", id="devices.down"),
        Binding("k", "move(-1)", "Up", id="devices.up"),
        Binding("g", "end(-1)", "The first", id="devices.first"),
        Binding("G", "end(1)", "The last", id="devices.last"),
        Binding("enter,d", "open", "Read it in full", id="devices.open"),
        Binding("o", "settle('keep')", "Keep what is in use", id="devices.keep"),
        Binding("t", "settle('other')", "Take the other one", id="devices.other"),
        Binding("b", "settle('both')", "Both, one after the other", id="devices.both"),
        Binding("e", "edit", "Words of your own", id="devices.edit"),
        Binding("z", "undo", "Undo your last act", id="devices.undo"),
        Binding("Z", "redo", "Redo what was undone", id="devices.redo"),
        Binding("f1,question_mark", "keys", "Keys that work here", id="devices.help"),
    ]

    def __init__(self, chat: ChatHost, reader: BackgroundReader, glyphs: Glyphs) -> None:
        super().__init__(chat, glyphs)
        self._reader = reader
        self._places: list[Place] = []

    def on_mount(self) -> None:
        self.show_head(Content.assemble((" Conflicts between devices", "bold $accent")))
        self.read()

    def refresh_list(self) -> None:
        """Read the list anew."""
        self.read()

    @work(group="read", exclusive=True)
    async def read(self) -> None:
        """Read what is open by now."""
        self._places = places_of(await self._reader.ask(_open))
        places = self._places
        head: list[str | tuple[str, str]] = [(" Conflicts between devices", "bold $accent")]
        if places:
            differ = plural(len(places), "place differs", "places differ")
            head.append(f"  {self._glyphs.separator} {differ}; what was changed last is in use")
        self.show_head(Content.assemble(*head))
        rows = [place_row(each, self._glyphs) for each in places]
        self.show_rows(rows, [each.keys for each in places], Text(_NOTHING, "dim"))
        self._look()

    # -- the row under the cursor --------------------------------------------------------------

    @property
    def row(self) -> Place | None:
        """The place under the cursor."""
        at = self.rows.highlighted
        return self._places[at] if at is not None and at < len(self._places) else None

    @on(OptionList.OptionHighlighted, "#rows")
    def _look(self) -> None:
        row = self.row
        self.show_preview("" if row is None else place_text(row, self._glyphs))

    @on(OptionList.OptionSelected, "#rows")
    def action_open(self) -> None:
        """Both versions in full."""
        if self.row is not None:
            self.read_in_full(self.row.conflict.path, place_text(self.row, self._glyphs))

    def _row_to_settle(self, choice: Choice) -> Place | None:
        """The place under the cursor; None, with a notice, where that cannot be chosen for it."""
        row = self.row
        if row is None:
            self.flash.show("There is nothing to settle.")
            return None
        if choice in row.choices:
            return row
        keys = " or ".join(_KEYS[each] for each in row.choices)
        self.flash.show(f"{one_row(row.conflict.path)} can only be taken as a whole: {keys}")
        return None

    # -- keys ----------------------------------------------------------------------------------

    def action_timeline(self) -> None:
        """The timeline, in the place of this."""
        self.open_instead("timeline")

    def action_memory(self) -> None:
        """What she knows, in the place of this."""
        self.open_instead("memory")

    def action_settle(self, choice: Choice) -> None:
        """Settle the place under the cursor by a commit."""
        row = self._row_to_settle(choice)
        if row is not None:
            self._settle(row, choice)

    @work(group="edit", exclusive=True)
    async def action_edit(self) -> None:
        """Settle it with words of one's own; both versions are there to begin with."""
        row = self._row_to_settle("both")
        if row is None:
            return
        both = (row.hunk.kept + row.hunk.other).decode("utf-8", "replace")
        title = f"Settle {one_row(row.conflict.path)}"
        text = await self.app.push_screen_wait(Editing(title, both, self._glyphs))
        if text is None:
            self.flash.show("Nothing was changed.")
        elif not self._settle(row, text.encode()):
            self._chat.conversation.put_back([text])
            self.flash.show(f"Not now. {_IN_BOX}.", "warning", stays=True)

    def _settle(self, row: Place, choice: Choice) -> bool:
        """One commit, which ``z`` takes back; the other places of the file stay open."""

        async def plan(session: Session) -> None:
            try:
                await session.act(lambda workspace: _settle(workspace, row, choice))
            except Problem as problem:
                if isinstance(choice, bytes):
                    self._chat.conversation.put_back([choice.decode()])
                    problem.kept = _IN_BOX
                raise
            self._chat.history.changed()
            self._chat.history.look_at_backups()
            how = "with your words" if isinstance(choice, bytes) else _SAID[choice]
            path = one_row(row.conflict.path)
            self.flash.show(f"{path} is settled: {how}. z takes it back.", "success")

        return self._chat.history.act(plan)


def _open(repo: Repository) -> list[OpenConflict]:
    tip = repo.head().commit
    return open_conflicts(repo, tip) if tip else []


def _settle(workspace: Workspace, row: Place, choice: Choice) -> None:
    """Settle a place as it stands by now. Raises CannotAct where it is settled already."""
    workspace.commit_hand_edits()
    for each in places_of(_open(workspace.repo)):
        if not set(each.keys).isdisjoint(row.keys):
            choices: list[Choice | None] = [None] * len(each.conflict.hunks)
            choices[each.at] = choice
            settle(workspace, each.conflict, choices)
            return
    raise CannotAct("this place is settled already, or its lines were edited")
