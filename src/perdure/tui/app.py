"""The terminal program: themes, commands, and a safe way out."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual._context import active_message_pump
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.worker import WorkerFailed

from perdure.tui.chat.screen import ChatScreen
from perdure.tui.dialogs.edit import Editing
from perdure.tui.draft import Draft
from perdure.tui.palette import offers
from perdure.tui.themes import DARK, LIGHT, OWN, ansi_colours, derived
from perdure.tui.widget_errors import cause_of, guard
from perdure.tui.widgets.input_text import whole

if TYPE_CHECKING:
    from textual.actions import ActionParseResult
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.message import Message
    from textual.message_pump import MessagePump
    from textual.screen import Screen

    from perdure.chat.session import Session
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.chat.startup import Opened, Opener


_MOST_FAILURES = 3
"""Errors of a panel or dialog after which it is closed: its own keys may not work any more."""


def local_now() -> datetime:
    """The time, aware, in the user's zone."""
    return datetime.now().astimezone()


class ChatApp(App[int]):
    """One companion on the screen."""

    CSS_PATH = "chat.tcss"
    TITLE = "perdure"
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit; everything said is kept", priority=True, id="quit"),
        Binding("escape", "stop", "Stop the reply, before anything else", priority=True, id="stop"),
    ]

    def __init__(
        self,
        opener: Opener,
        glyphs: Glyphs,
        *,
        theme: str = DARK.name,
        clock: Callable[[], datetime] = local_now,
        draft: Callable[[Opened], Draft] = lambda _opened: Draft(None),
        driver: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver)
        for own in OWN:
            self.register_theme(own)
        self.ansi_theme_dark, self.ansi_theme_light = ansi_colours(DARK), ansi_colours(LIGHT)
        self.theme = theme if theme in self.available_themes else DARK.name
        self._chat = ChatScreen(opener, glyphs, clock, draft)
        self.crash: Exception | None = None
        self._odd_bytes_told = False
        self._failures: Counter[Screen[object]] = Counter()

    def get_css_variables(self) -> dict[str, str]:
        """Textual's, and our own variables for the themes that do not define them."""
        variables = super().get_css_variables()
        return {**derived(variables), **variables}

    def get_default_screen(self) -> Screen[None]:
        """The chat screen is at the bottom of the stack."""
        return self._chat

    @property
    def chat(self) -> ChatScreen:
        """The chat screen."""
        return self._chat

    @property
    def session(self) -> Session | None:
        """The open session, for closing it when the program ends."""
        return self._chat.session

    def on_mount(self) -> None:
        """What exists by now lives as long as the program: the garbage collector can skip it."""
        gc.collect()
        gc.freeze()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: only what works now."""
        for offer in offers(screen, self._chat):
            yield SystemCommand(offer.title, offer.help, offer.run)
        yield SystemCommand("Theme", "Choose colours", self.action_change_theme)
        yield SystemCommand("Quit", "Everything said is kept", self.run_quit)

    async def run_quit(self) -> None:
        """Quit as the key does."""
        await self.action_quit()

    async def action_quit(self) -> None:
        """Quit; a running reply is stopped and committed before.

        The message box first takes what was typed before: its keys wait in a queue of their own.
        """
        if self._chat.is_mounted:
            self._chat.composer.call_later(self._begin_leaving)
        else:
            self.exit(0)

    def _begin_leaving(self) -> None:
        try:
            may_go = self._chat.turns.begin_leaving()
        except Exception as error:  # noqa: BLE001 - nothing holds up who wants to leave
            self.unforeseen(error)
            may_go = True
        if may_go:
            self.exit(0)

    def action_stop(self) -> None:
        """Stop the reply that is being written, whatever is open over the conversation."""
        self._chat.turns.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape stops a reply first; while none runs, the key is the top screen's."""
        if action == "stop":
            return self._chat.turns.can_stop
        return super().check_action(action, parameters)

    def action_leave(self) -> None:
        """Leave: the turn that held this up has ended."""
        self.exit(0)

    # -- what must not end it ------------------------------------------------------------------

    def unforeseen(self, error: Exception) -> None:
        """Show an error that nobody foresaw; what is being written is kept."""
        if self.is_running and self._chat.is_mounted:
            self._chat.conversation.show_unforeseen(error)

    def failed(self, error: Exception, where: MessagePump | None) -> None:
        """Show an error of a handler, a callback or a drawing; the program goes on.

        Not before the chat is there, nor where it cannot even be shown: that ends the program.
        """
        if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
            error = error.error
        if not self.is_running or not self._chat.is_mounted:
            self._fall(error)
            return
        try:
            self._chat.conversation.show_unforeseen(error)
        except Exception:  # noqa: BLE001 - the first one is the cause
            self._fall(error)
            return
        screen = self.screen
        if isinstance(where, Widget) and where.is_attached:
            screen = where.screen
        if screen is self._chat:
            return
        self._failures[screen] += 1
        if not screen.is_mounted or self._failures[screen] >= _MOST_FAILURES:
            self.call_later(self._close, screen, error)

    def _close(self, screen: Screen[object], error: Exception) -> None:
        """Close a screen that does not work, and what is open over it; words in it are kept."""
        if screen not in self.screen_stack:
            return
        while screen in self.screen_stack:
            top = self.screen
            if isinstance(top, Editing) and top.is_mounted:
                self._chat.conversation.put_back([top.text])
            top.dismiss(None)
        self._chat.conversation.show_error(error)

    async def _dispatch_message(self, message: Message) -> None:
        """Textual's; an error of a handler is shown, and the next message follows."""
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            self.failed(cause_of(error), self)

    def _register(
        self,
        parent: DOMNode,
        *widgets: Widget,
        **places: Any,  # noqa: ANN401 - Textual's own
    ) -> list[Widget]:
        """Textual's; every widget is guarded before its first message."""
        for widget in widgets:
            if widget not in self._registry:
                guard(widget, self.failed)
        return super()._register(parent, *widgets, **places)

    def _start_widget(self, parent: Widget, widget: Widget) -> None:
        """Textual's, for scroll bars."""
        guard(widget, self.failed)
        super()._start_widget(parent, widget)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Textual's; an error of an action is shown, and ends nothing."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            self.failed(error, self)
            return True

    async def terminal_gone(self) -> None:
        """The terminal cannot be read any more: leave as ctrl+q does."""
        await self.action_quit()

    def odd_bytes(self) -> None:
        """Say once that the terminal does not send UTF-8."""
        if not self._odd_bytes_told:
            self._odd_bytes_told = True
            self._chat.flash.show(
                "The terminal sent bytes that are not UTF-8; each is shown as \ufffd. "
                "Set it to UTF-8 to write such letters.",
                "warning",
                stays=True,
            )

    def paste_cut(self, characters: int) -> None:
        """Say that a paste was longer than the message box takes."""
        self._chat.flash.show(
            f"The paste was too long: its last {characters:,} characters were left out.",
            "warning",
            stays=True,
        )

    def copy_to_clipboard(self, text: str) -> None:
        """Textual's; lone surrogates, which cannot be encoded, are replaced first."""
        super().copy_to_clipboard(whole(text))

    def _handle_exception(self, error: Exception) -> None:
        """What Textual itself caught, as from timers and workers. Private in Textual, too."""
        self.failed(cause_of(error), active_message_pump.get(None))

    def _fall(self, error: Exception) -> None:
        """End the program with one line, not with a traceback, which Textual would print.

        `run.show` says what is safe once the session is closed.
        """
        if self.crash is None:
            self.crash = error
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()
