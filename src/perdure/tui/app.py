"""The terminal program: themes, commands, and a safe way out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from perdure.tui.commands import offers
from perdure.tui.draft import Draft
from perdure.tui.screen import ChatScreen
from perdure.tui.themes import DARK, LIGHT, OWN, ansi_colours, derived
from perdure.tui.writable import whole

if TYPE_CHECKING:
    from textual.actions import ActionParseResult
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.screen import Screen

    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.ports import ChatSession, Opened, Opener


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
        Binding("escape", "stop", "Stop the reply before all else", priority=True, id="stop"),
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

    def get_css_variables(self) -> dict[str, str]:
        """Textual's, and our own variables for the themes that do not define them."""
        variables = super().get_css_variables()
        return {**derived(variables), **variables}

    def get_default_screen(self) -> Screen[None]:
        """The chat is the only screen at the bottom."""
        return self._chat

    @property
    def chat(self) -> ChatScreen:
        """The chat screen."""
        return self._chat

    @property
    def session(self) -> ChatSession | None:
        """The open session, for closing it when the program ends."""
        return self._chat.session

    def on_mount(self) -> None:
        """What was made up to here lives as long as the program: the collector need not look."""
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
        if self._chat.begin_leaving():
            self.exit(0)

    def action_stop(self) -> None:
        """Stop the reply that is being written, whatever stands over the talk."""
        self._chat.action_stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape stops a reply first; where none runs, it is the screen's that is on top."""
        if action == "stop":
            return self._chat.can_stop
        return super().check_action(action, parameters)

    def action_leave(self) -> None:
        """The turn that was waited for has ended."""
        self.exit(0)

    # -- what must not end it ------------------------------------------------------------------

    def unforeseen(self, error: Exception) -> None:
        """Something failed that nobody foresaw: told, and what is being written is kept."""
        if self.is_running and self._chat.is_mounted:
            self._chat.tell_unforeseen(error)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Textual's; a key whose work fails is told, and ends nothing."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.unforeseen(error)
            return True

    async def terminal_gone(self) -> None:
        """Nothing can be read any more: leave as the key does."""
        await self.action_quit()

    def odd_bytes(self) -> None:
        """The terminal sends something else than UTF-8."""
        if not self._odd_bytes_told:
            self._odd_bytes_told = True
            self._chat.flash.tell(
                "The terminal sent bytes that are not UTF-8; each is shown as \ufffd. "
                "Set it to UTF-8 to write such letters.",
                "warning",
                stays=True,
            )

    def paste_cut(self, characters: int) -> None:
        """A paste was longer than the message box takes."""
        self._chat.flash.tell(
            f"The paste was too long: its last {characters:,} characters were left out.",
            "warning",
            stays=True,
        )

    def copy_to_clipboard(self, text: str) -> None:
        """Textual's; halves of a character, which no encoding carries, become a sign for it."""
        super().copy_to_clipboard(whole(text))

    def _handle_exception(self, error: Exception) -> None:
        """An error that nobody caught ends the program with one line, not with a traceback.

        Textual would print one over the terminal. `run_chat` says what is safe once the session is
        closed. Private in Textual; the version is pinned and a test holds it.
        """
        if self.crash is None:
            self.crash = error
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()
