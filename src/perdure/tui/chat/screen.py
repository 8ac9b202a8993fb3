"""The chat screen: rail, talk, message box, status line, and what keys do there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.geometry import Offset

from perdure.tui.chat.panels import InquiringScreen
from perdure.tui.dialogs.help import HelpScreen
from perdure.tui.keys import hints_for, key_groups
from perdure.tui.transcript.anchors import Spot
from perdure.tui.transcript.scrollback import Place
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.composer import Composer
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.rail import Rail
from perdure.tui.widgets.status_line import StatusLine
from perdure.tui.widgets.unread import Unseen
from perdure.tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from textual import events
    from textual.widget import Widget

    from perdure.companion.ids import ConversationId
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.chat.draft import Draft
    from perdure.tui.ports import Opened, Opener
    from perdure.tui.timeline.lists import Tab
    from perdure.tui.timeline.screen import TimelineScreen
    from perdure.views.timeline import Names

_RAIL_FROM = 90
"""Cells of width from which the rail is open by itself."""


class ChatScreen(InquiringScreen):
    """The talk with one companion, and the ways through it."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it without ClassVar on instances
        (0, "-narrow"),
        (90, "-normal"),
        (130, "-wide"),
    ]
    AUTO_FOCUS = "#composer"
    BINDING_GROUP_TITLE = "Everywhere"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "back",
            "Step back; with no reply to stop",
            show=False,
            id="back",
        ),
        Binding("f1", "keys", "Keys that work here", show=False, id="help"),
        Binding("ctrl+b", "rail", "Open or close the conversations", show=False, id="rail"),
        Binding("f4", "timeline", "The timeline", show=False, id="timeline"),
        Binding("f6", "memory", "What she knows; what waits for you", show=False, id="memory"),
        Binding("ctrl+t", "backend", "Let another backend speak", show=False, id="backend.pick"),
    ]

    def __init__(
        self,
        opener: Opener,
        glyphs: Glyphs,
        clock: Callable[[], datetime],
        draft: Callable[[Opened], Draft],
    ) -> None:
        super().__init__(opener, glyphs, clock, draft)
        self._rail_wanted: bool | None = None
        self._rail_return: tuple[Spot, ...] | None = None
        """What was read when the conversations were gone into; empty: the end."""
        self._was_browsing = False
        """The focus was in the talk before it went into the conversations."""

    def compose(self) -> ComposeResult:
        glyphs = self._glyphs
        with Horizontal(id="panes"):
            yield Rail(glyphs, widget_id="rail")
            with Vertical(id="talk"):
                with Container(id="stage"):
                    yield Welcome(glyphs, widget_id="welcome")
                    yield TranscriptView(glyphs, widget_id="transcript")
                    yield Unseen(glyphs, widget_id="unseen")
                yield Flash(glyphs, widget_id="flash")
                yield Composer(widget_id="composer")
        yield StatusLine(glyphs, widget_id="status")

    @property
    def rail(self) -> Rail:
        """The conversations."""
        return self.query_one("#rail", Rail)

    @property
    def _plain(self) -> bool:
        """True where only ASCII may be drawn."""
        return self._glyphs.rule.isascii()

    def action_back(self) -> None:
        """Escape, with no reply to stop: close what is open, else leave the message box.

        It never enters the message box from the talk: who presses it twice shall not write.
        """
        if self.selections:
            self.clear_selection()
        elif self.focused is self.rail:
            self._leave_rail(stay=False)
        elif self.view.empty:
            self.action_compose()
        elif self.focused is self.view:
            self.flash.tell("You are in the talk; i goes to the message box.")
        else:
            self.action_browse()

    def action_browse(self) -> None:
        """Go from the message box into the talk, the cursor on a message that is seen."""
        self.view.focus()
        self.view.pick_seen()

    def action_compose(self) -> None:
        """Go to the message box. Who comes back to the end of the talk finds its newest picked."""
        if self.view.following:
            self.view.cursor = None
        self.composer.focus()

    def action_keys(self) -> None:
        """Show the keys that work here."""
        place = self.focused.id if self.focused is not None else None
        groups = key_groups(ChatScreen.BINDINGS, type(self.app).BINDINGS, place)
        self.app.push_screen(HelpScreen(groups, plain=self._plain))

    def action_copy_reply(self) -> None:
        """Copy the newest reply."""
        text = self.view.last_reply()
        if text:
            self._copy(text)
        else:
            self.flash.tell("There is no reply yet.")

    # -- browsing ------------------------------------------------------------------------------

    @on(TranscriptView.Unseen)
    def _unseen(self, event: TranscriptView.Unseen) -> None:
        self.query_one("#unseen", Unseen).tell(event.rows)

    @on(Composer.ScrollTalk)
    def _scroll_talk(self, event: Composer.ScrollTalk) -> None:
        self.view.move(event.pages * self.view.page_height())

    @on(TranscriptView.Typed)
    def _typed(self, event: TranscriptView.Typed) -> None:
        self.composer.focus()
        self.composer.insert(event.character)

    @on(TranscriptView.Asked)
    def _asked(self, event: TranscriptView.Asked) -> None:
        match event.what:
            case "conversation-before":
                self._go_conversation(-1)
            case "conversation-after":
                self._go_conversation(1)
            case "compose":
                self.action_compose()
            case "keys":
                self.action_keys()
            case other:
                self.run_action_soon(f"screen.{other}")

    def _copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        rows = text.count("\n") + 1
        self.flash.tell(f"Copied {rows} {'line' if rows == 1 else 'lines'}.", "success")

    def show_conversation(self, conversation: ConversationId) -> bool:
        """Scroll to where a conversation begins."""
        page = self._history.first_page(conversation) if self._history is not None else None
        if page is None:
            return False
        self.view.show(Place(page, 0, 0))
        return True

    def _go_conversation(self, direction: int) -> None:
        if self._history is None:
            return
        top = self.view.top
        page = self._history.neighbour(top.page, direction)
        if direction < 0 and page is not None and top > Place(self._start_of(top.page), 0, 1):
            page = self._start_of(top.page)
        if page is not None:
            self.view.show(Place(page, 0, 0))
        elif direction > 0:
            self.view.follow()

    def _start_of(self, page: int) -> int:
        previous = self._history.neighbour(page + 1, -1) if self._history is not None else None
        return previous if previous is not None else 0

    # -- the rail ------------------------------------------------------------------------------

    def action_rail(self) -> None:
        """Open the rail and go into it, or close it."""
        if self._history is None or not (self._history.conversations or self._names):
            self.flash.tell("There are no conversations yet.")
            return
        if self.has_class("-rail"):
            self._rail_wanted = False
            if self.focused is self.rail:
                (self.view.focus if self._was_browsing else self.action_compose)()
        else:
            self._rail_wanted = True
        self._place_rail()
        if self._rail_wanted:
            self._rail_return = self.view.reading
            self.rail.focus()

    def history_opened(self) -> None:
        """Fill the rail."""
        super().history_opened()
        history = self._history
        if history is not None:
            self.rail.fill(history.conversations, history.title, self._clock().date())
            self._place_rail()

    def names_known(self, names: Names) -> None:
        """Branches and tags stand below the conversations."""
        self.rail.fill_names(names)
        self._place_rail()
        super().names_known(names)

    # -- the timeline --------------------------------------------------------------------------

    @property
    def timeline(self) -> TimelineScreen | None:
        """The timeline, while it is open."""
        from perdure.tui.timeline.screen import TimelineScreen

        over = self.over
        return over if isinstance(over, TimelineScreen) else None

    def action_timeline(self) -> None:
        """Open the timeline."""
        self._open_timeline("History")

    def action_operations(self) -> None:
        """What was done, and what undo takes back next."""
        self._open_timeline("Operations")

    def _open_timeline(self, tab: Tab) -> None:
        from perdure.tui.timeline.screen import TimelineScreen

        # A long history's index is made by one; what is beside the list comes from the other.
        lists, beside = self.reader("timeline"), self.reader("beside")
        if self.timeline is not None:
            self.timeline.go_to(tab)
        elif lists is not None and beside is not None and self.over is None:
            self.app.push_screen(TimelineScreen(self, (lists, beside), self._glyphs, tab))

    def _place_rail(self) -> None:
        there = self._history is not None and bool(self._history.conversations or self._names)
        wide = self.size.width >= _RAIL_FROM
        shown = (self._rail_wanted is True or (self._rail_wanted is None and wide)) and there
        self.set_class(shown, "-rail")

    def on_resize(self, event: events.Resize) -> None:  # noqa: ARG002 - Textual's
        self._place_rail()

    @on(Rail.Previewed)
    def _preview(self, event: Rail.Previewed) -> None:
        self.show_conversation(event.conversation)

    @on(Rail.BranchChosen)
    def _choose_branch(self, event: Rail.BranchChosen) -> None:
        self._leave_rail(stay=True)
        self.switch_to(event.name)

    @on(Rail.MergeWanted)
    def _want_merge(self, event: Rail.MergeWanted) -> None:
        if event.name:
            self.merge_branch(event.name)
        else:
            self.action_merge()

    @on(Rail.TagChosen)
    def _choose_tag(self, event: Rail.TagChosen) -> None:
        self.talk_on_from(event.name)

    @on(Rail.Chosen)
    def _choose(self, event: Rail.Chosen) -> None:
        self.show_conversation(event.conversation)
        self._leave_rail(stay=True)

    def _leave_rail(self, *, stay: bool) -> None:
        if not stay and self._rail_return is not None:
            self.view.read_on(self._rail_return)
        self._rail_return = None
        if self.has_class("-narrow"):
            self._rail_wanted = False
            self._place_rail()
        (self.view if stay or self._was_browsing else self.composer).focus()

    # -- hints ---------------------------------------------------------------------------------

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Other keys help in another place."""
        if event.widget is not self.rail:
            self._rail_return = None
            self._was_browsing = event.widget is self.view
        elif self._rail_return is None:
            self._rail_return = self.view.reading
        self.status.tell(hints=hints_for(event.widget.id, plain=self._plain))

    def action_nothing(self) -> None:
        """A hint that only tells."""

    def action_copy_message(self) -> None:
        """Copy the picked message."""
        if self.sees_picked():
            self._copy(self.view.picked_text)

    def action_end(self) -> None:
        """Go to the end."""
        self.view.follow()

    # -- Textual -------------------------------------------------------------------------------

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Textual's, guarded: https://github.com/Textualize/textual/issues/6643.

        A mouse press on a widget that has just been replaced raises AttributeError there and ends
        the program. To be dropped when the fix (pull request 6645) is in the pinned version.
        """
        try:
            return super().get_widget_and_offset_at(x, y)
        except AttributeError:
            return None, None
