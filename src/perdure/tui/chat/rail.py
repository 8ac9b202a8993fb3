"""The rail beside the transcript: when it is open, and where one goes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.tui.transcript.scrollback import Location
from perdure.tui.widgets.rail import Rail

if TYPE_CHECKING:
    from textual.widget import Widget

    from perdure.companion.ids import ConversationId
    from perdure.tui.chat.conversation import Conversation
    from perdure.tui.transcript.anchors import Anchor
    from perdure.views.timeline import RefNames

_OPEN_FROM = 90
"""Cells of width from which the rail is open by itself."""


class RailController:
    """Opens and closes the rail, and goes through the transcript by conversations."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.screen = conversation.screen
        self.widget = Rail(conversation.glyphs, widget_id="rail")
        self._is_wanted: bool | None = None
        self._read_before: tuple[Anchor, ...] | None = None
        """What was read when the rail was gone into; empty: the end."""
        self._was_browsing = False
        """The focus was in the transcript before it went into the rail."""

    # -- what is in it -------------------------------------------------------------------------

    def fill(self) -> None:
        """List the conversations of the history that was read."""
        pages = self._conversation.pages
        if pages is not None:
            today = self._conversation.now().date()
            self.widget.fill(pages.conversations, pages.title, today)
            self.place()

    def fill_names(self, names: RefNames) -> None:
        """List branches and tags below the conversations."""
        self.widget.fill_names(names)
        self.place()

    @property
    def _is_filled(self) -> bool:
        pages = self._conversation.pages
        return pages is not None and bool(pages.conversations or self.widget.names)

    # -- going into it, and out of it ----------------------------------------------------------

    def place(self) -> None:
        """Show the rail where it is wanted, or where there is room and nobody said otherwise."""
        wide = self.screen.size.width >= _OPEN_FROM
        shown = self._is_wanted is True or (self._is_wanted is None and wide)
        self.screen.set_class(shown and self._is_filled, "-rail")

    def toggle(self) -> None:
        """Open the rail and go into it, or close it."""
        here = self._conversation
        if not self._is_filled:
            here.flash.show("There are no conversations yet.")
            return
        if self.screen.has_class("-rail"):
            self._is_wanted = False
            if self.screen.focused is self.widget:
                if self._was_browsing:
                    here.view.focus()
                else:
                    here.write()
        else:
            self._is_wanted = True
        self.place()
        if self._is_wanted:
            self._read_before = here.view.reading
            self.widget.focus()

    def leave(self, *, stay: bool) -> None:
        """Go back to where one was; ``stay``: to what the transcript shows by now."""
        here = self._conversation
        if not stay and self._read_before is not None:
            here.view.read_on(self._read_before)
        self._read_before = None
        if self.screen.has_class("-narrow"):
            self._is_wanted = False
            self.place()
        (here.view if stay or self._was_browsing else here.composer).focus()

    def follow_focus(self, widget: Widget) -> None:
        """Remember where the focus was, and what was read, before it went into the rail."""
        view = self._conversation.view
        if widget is not self.widget:
            self._read_before = None
            self._was_browsing = widget is view
        elif self._read_before is None:
            self._read_before = view.reading

    # -- conversations in the transcript -------------------------------------------------------

    def show(self, conversation: ConversationId) -> None:
        """Scroll to where a conversation begins."""
        pages = self._conversation.pages
        page = pages.first_page(conversation) if pages is not None else None
        if page is not None:
            self._conversation.view.show(Location(page, 0, 0))

    def go(self, direction: int) -> None:
        """Scroll to the conversation before (-1) or after (1) the one that is read."""
        pages, view = self._conversation.pages, self._conversation.view
        if pages is None:
            return
        top = view.top
        page = pages.neighbour(top.page, direction)
        if direction < 0 and page is not None:
            start = pages.neighbour(top.page + 1, -1) or 0
            if top > Location(start, 0, 1):
                page = start
        if page is not None:
            view.show(Location(page, 0, 0))
        elif direction > 0:
            view.follow()
