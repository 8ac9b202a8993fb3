"""The chat screen: rail, transcript, message box, status line, and what keys do there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.geometry import Offset
from textual.screen import Screen

from perdure.plural import plural
from perdure.tui.chat.answers import AnswerController
from perdure.tui.chat.backends import BackendController
from perdure.tui.chat.conversation import Conversation
from perdure.tui.chat.history import HistoryController
from perdure.tui.chat.merge import MergeController
from perdure.tui.chat.panels import PanelController
from perdure.tui.chat.rail import RailController
from perdure.tui.chat.startup import Opened, Opener, StartupController
from perdure.tui.chat.turns import TurnController
from perdure.tui.dialogs.help import HelpScreen
from perdure.tui.keys import hints_for, key_groups
from perdure.tui.remotes.controller import RemoteController
from perdure.tui.themes import WIDTHS
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.composer import Composer
from perdure.tui.widgets.rail import Rail
from perdure.tui.widgets.unread import Unseen

if TYPE_CHECKING:
    from textual import events
    from textual.widget import Widget

    from perdure.chat.session import Session
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.draft import Draft
    from perdure.tui.widgets.flash import Flash

_DRAFT_SECONDS = 1.0
_LOOK_SECONDS = 2.0
"""How often it is looked whether git, or another program, moved the branch or settled a merge."""
_BACKUP_SECONDS = 30.0
_TAKE_NAMES = frozenset({"/backend", "/next", "/merge", "/sync", "/drill"})
"""Commands that take a name. With more words behind it, it is something to be said."""


class ChatScreen(Screen[None]):
    """The chat with one companion. Keys and messages go on to its controllers."""

    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#composer"
    BINDING_GROUP_TITLE = "Everywhere"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Step back, if there is no reply to stop", id="back"),
        Binding("f1", "keys", "Keys that work here", id="help"),
        Binding("ctrl+b", "rail", "Open or close the conversations", id="rail"),
        Binding("f4", "timeline", "The timeline", id="timeline"),
        Binding("f6", "memory", "Memory, and what there is to review", id="memory"),
        Binding("ctrl+t", "backend", "Switch to another backend", id="backend.pick"),
    ]

    def __init__(
        self,
        opener: Opener,
        glyphs: Glyphs,
        clock: Callable[[], datetime],
        draft: Callable[[Opened], Draft],
    ) -> None:
        super().__init__()
        here = self.conversation = Conversation(self, glyphs, clock, self._history_read)
        self.view, self.composer, self.status = here.view, here.composer, here.status
        self.conversations = RailController(here)
        self.rail = self.conversations.widget
        self.turns = TurnController(here)
        self.history = HistoryController(here, self.turns, self.conversations.fill_names)
        self.merge = MergeController(here, self.history, self)
        self.answers = AnswerController(here, self.turns, self.history)
        self.backends = BackendController(here)
        self.panels = PanelController(here, self)
        self.remotes = RemoteController(self)
        self.startup = StartupController(here, opener, draft, self._opened)

    def compose(self) -> ComposeResult:
        here = self.conversation
        with Horizontal(id="panes"):
            yield self.rail
            with Vertical(id="conversation"):
                with Container(id="stage"):
                    yield here.welcome
                    yield self.view
                    yield Unseen(here.glyphs, widget_id="unseen")
                yield here.own_flash
                yield self.composer
        yield self.status

    def on_mount(self) -> None:
        self.set_class(self._plain, "-ascii")
        self.composer.border_title = "message"
        self.conversation.show_composer()
        self.composer.focus()
        self.set_interval(_DRAFT_SECONDS, self.conversation.keep_draft)
        self.turns.mount()
        self.set_interval(_LOOK_SECONDS, self.history.look)
        self.set_interval(_LOOK_SECONDS, self.merge.look)
        self.set_interval(_BACKUP_SECONDS, self.history.look_at_backups)
        self.call_after_refresh(self.startup.open)

    def on_unmount(self) -> None:
        self.panels.close()
        self.remotes.close()

    @property
    def session(self) -> Session | None:
        """The open session; None until the companion is open."""
        return self.conversation.session

    @property
    def flash(self) -> Flash:
        """The notice row of the screen that is seen."""
        return self.conversation.flash

    @property
    def _plain(self) -> bool:
        """True where only ASCII may be drawn."""
        return self.conversation.glyphs.rule.isascii()

    # -- what was read -------------------------------------------------------------------------

    def _opened(self) -> None:
        self.turns.go_on()
        self.backends.confirm_listed()
        self.panels.show_review_hint()
        self.history.look_at_backups()

    def _history_read(self) -> None:
        self.history.read_names()
        self.merge.look()
        self.conversations.fill()

    # -- messages of widgets and workers -------------------------------------------------------

    @on(Composer.Sent)
    def _send(self, event: Composer.Sent) -> None:
        if not self._run_command(event.text):
            self.turns.send(event.text)

    @on(TranscriptView.Unseen)
    def _unseen(self, event: TranscriptView.Unseen) -> None:
        self.query_one("#unseen", Unseen).show(event.rows)

    @on(TranscriptView.Typed)
    def _typed(self, event: TranscriptView.Typed) -> None:
        self.composer.focus()
        self.composer.insert(event.character)

    @on(Rail.Previewed)
    def _preview(self, event: Rail.Previewed) -> None:
        self.conversations.show(event.conversation)

    @on(Rail.Chosen)
    def _choose(self, event: Rail.Chosen) -> None:
        self.conversations.show(event.conversation)
        self.conversations.leave(stay=True)

    @on(Rail.BranchChosen)
    def _choose_branch(self, event: Rail.BranchChosen) -> None:
        self.conversations.leave(stay=True)
        self.history.switch_to(event.name)

    @on(Rail.TagChosen)
    def _choose_tag(self, event: Rail.TagChosen) -> None:
        self.history.continue_from(event.name)

    @on(Rail.MergeWanted)
    def _want_merge(self, event: Rail.MergeWanted) -> None:
        self.merge.begin(event.name)

    def on_resize(self, event: events.Resize) -> None:  # noqa: ARG002 - Textual's
        self.conversations.place()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the keys of the widget that has the focus."""
        self.conversations.follow_focus(event.widget)
        self.status.change(hints=hints_for(event.widget.id, plain=self._plain))

    # -- slash commands ------------------------------------------------------------------------

    def _commands(self) -> dict[str, Callable[[str], object]]:
        """What each command does with the words after it."""
        run = self.conversation.run_soon
        return {
            "/new": lambda _: self.turns.new_conversation(),
            "/help": lambda _: run("screen.keys"),
            "/quit": lambda _: run("app.quit"),
            "/answer": lambda _: self.turns.answer(),
            "/backend": lambda name: self.backends.switch(name, once=False),
            "/next": lambda name: self.backends.switch(name, once=True),
            "/confirm": lambda _: self.backends.confirm_all(),
            "/merge": self.merge.begin,
            "/sync": self.remotes.sync,
            "/backup": lambda _: self.remotes.backup(),
            "/drill": self.remotes.drill,
            "/stop": lambda _: self.remotes.stop(),
            "/conflicts": lambda _: self.panels.open_device_conflicts(),
        }

    def _run_command(self, text: str) -> bool:
        """Run a slash command; False where the text is a message."""
        word, _, rest = text.strip().partition(" ")
        named = word in _TAKE_NAMES and " " not in rest.strip()
        if not word.startswith("/") or "\n" in text or not word[1:].isalpha():
            return False
        if rest and not named:
            return False
        commands = self._commands()
        command = commands.get(word)
        if command is None:
            known = ", ".join(commands)
            self.flash.show(f"{word} is not a command here. There are {known}.", "warning")
            return True
        self.composer.put("")
        command(rest.strip())
        return True

    # -- keys: moving about --------------------------------------------------------------------

    def action_back(self) -> None:
        """Escape, with no reply to stop: close what is open, else leave the message box.

        It never enters the message box from the transcript: who presses it twice shall not write.
        """
        if self.selections:
            self.clear_selection()
        elif self.focused is self.rail:
            self.conversations.leave(stay=False)
        elif self.view.empty:
            self.action_compose()
        elif self.focused is self.view:
            self.flash.show("You are browsing; i goes to the message box.")
        else:
            self.action_browse()

    def action_browse(self) -> None:
        """Go from the message box into the transcript, the cursor on a message that is seen."""
        self.view.focus()
        self.view.pick_seen()

    def action_compose(self) -> None:
        """Go to the message box."""
        self.conversation.write()

    def action_end(self) -> None:
        """Go to the end."""
        self.view.follow()

    def action_page(self, pages: int) -> None:
        """Move the transcript without leaving the message box."""
        self.view.move(pages * self.view.page_height())

    def action_rail(self) -> None:
        """Open the rail and go into it, or close it."""
        self.conversations.toggle()

    def action_conversation_before(self) -> None:
        self.conversations.go(-1)

    def action_conversation_after(self) -> None:
        self.conversations.go(1)

    def action_keys(self) -> None:
        """Show the keys that work here."""
        place = self.focused.id if self.focused is not None else None
        groups = key_groups(ChatScreen.BINDINGS, type(self.app).BINDINGS, place)
        self.app.push_screen(HelpScreen(groups, plain=self._plain))

    def action_nothing(self) -> None:
        """A hint that does nothing."""

    def action_copy_message(self) -> None:
        """Copy the picked message."""
        if self.conversation.sees_picked():
            self._copy(self.view.picked_text)

    def action_copy_reply(self) -> None:
        """Copy the newest reply."""
        text = self.view.feed.last_reply()
        if text:
            self._copy(text)
        else:
            self.flash.show("There is no reply yet.")

    def _copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        rows = text.count("\n") + 1
        self.flash.show(f"Copied {plural(rows, 'line')}.", "success")

    def action_folder(self) -> None:
        """Tell where the companion lives."""
        if self.session is not None:
            self.flash.show(f"{self.session.info.path} is an ordinary git repository.", stays=True)

    # -- keys: what the controllers do ---------------------------------------------------------
    # What each does is said where it is done.

    def action_reload(self) -> None:
        self.conversation.reload()

    def action_new_conversation(self) -> None:
        self.turns.new_conversation()

    def action_answer(self) -> None:
        self.turns.answer()

    def action_stop(self) -> None:
        self.turns.stop()

    def action_backend(self) -> None:
        self.backends.pick()

    def action_confirm_backends(self) -> None:
        self.backends.confirm_all()

    def action_undo(self) -> None:
        self.history.undo()

    def action_redo(self) -> None:
        self.history.redo()

    def action_branch(self) -> None:
        if (place := self.conversation.place_to_act_on()) is not None:
            self.history.begin_branch(place)

    def action_tag(self) -> None:
        if (place := self.conversation.place_to_act_on()) is not None:
            self.history.begin_tag(place)

    def action_rewind(self) -> None:
        if (turn := self.conversation.turn_to_act_on()) is not None:
            self.history.continue_from(str(turn))

    def action_merge(self) -> None:
        self.merge.show()

    def action_regenerate(self) -> None:
        self.answers.regenerate()

    def action_answer_before(self) -> None:
        self.answers.swap(-1)

    def action_answer_after(self) -> None:
        self.answers.swap(1)

    def action_edit(self) -> None:
        self.answers.edit()

    def action_aside(self) -> None:
        self.answers.set_aside()

    def action_voice(self) -> None:
        self.answers.show_persona_change()

    def action_timeline(self) -> None:
        self.panels.open_timeline("History")

    def action_operations(self) -> None:
        self.panels.open_timeline("Operations")

    def action_memory(self) -> None:
        self.panels.open_memory()

    def action_sync(self) -> None:
        self.remotes.sync()

    def action_backup(self) -> None:
        self.remotes.backup()

    def action_drill(self) -> None:
        self.remotes.drill()

    def action_stop_remotes(self) -> None:
        self.remotes.stop()

    def action_conflicts(self) -> None:
        self.panels.open_device_conflicts()

    def action_prompt(self) -> None:
        self.panels.open_prompt()

    def action_prompt_next(self) -> None:
        self.panels.open_next_prompt()

    def action_search(self) -> None:
        self.panels.open_search()

    def action_found_after(self) -> None:
        self.panels.go_to_found(1)

    def action_found_before(self) -> None:
        self.panels.go_to_found(-1)

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
