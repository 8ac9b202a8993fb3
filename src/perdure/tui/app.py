"""The terminal program: themes, commands, and a safe way out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from perdure.tui.draft import Draft
from perdure.tui.screen import ChatScreen
from perdure.tui.themes import DARK, OWN, derived

if TYPE_CHECKING:
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
    ]

    def __init__(
        self,
        opener: Opener,
        glyphs: Glyphs,
        *,
        theme: str = DARK.name,
        clock: Callable[[], datetime] = local_now,
        draft: Callable[[Opened], Draft] = lambda _opened: Draft(None),
    ) -> None:
        super().__init__()
        for own in OWN:
            self.register_theme(own)
        self.theme = theme if theme in self.available_themes else DARK.name
        self._chat = ChatScreen(opener, glyphs, clock, draft)
        self.crash: Exception | None = None

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
        chat = self._chat
        if screen is chat:
            yield SystemCommand(
                "New conversation",
                "The next message opens a conversation of its own",
                chat.action_new_conversation,
            )
            yield SystemCommand(
                "Conversations", "Open or close the rail of conversations", chat.action_rail
            )
            yield SystemCommand("Stop the reply", "Keep it as far as it came", chat.action_stop)
            yield SystemCommand(
                "Answer the last message", "Ask for a reply that is missing", chat.action_answer
            )
            yield SystemCommand(
                "Switch backend",
                "Let another one speak, from now on or for the next reply only",
                chat.action_backend,
            )
            yield SystemCommand(
                "Confirm backends",
                "See where one that came from outside leads, and agree to it or not",
                chat.action_confirm_backends,
            )
            yield SystemCommand("Another answer", "To the picked message", chat.action_regenerate)
            yield SystemCommand("Correct words", "Of the picked message", chat.action_edit)
            yield SystemCommand(
                "Set aside",
                "Keep the picked turn out of prompts, or bring it back",
                chat.action_aside,
            )
            yield SystemCommand("Undo", "Take back the last thing that was done", chat.action_undo)
            yield SystemCommand(
                "Timeline", "What happened, and which branches there are", chat.action_timeline
            )
            yield SystemCommand(
                "The open merge", "Which files wait to be settled", chat.action_merge
            )
            yield SystemCommand(
                "What was done",
                "The list of operations, and what undo takes next",
                chat.action_operations,
            )
            yield SystemCommand(
                "What she knows", "Facts, summaries, and what waits for you", chat.action_memory
            )
            yield SystemCommand(
                "Search the whole life", "Earlier moments, the best first", chat.action_search
            )
            yield SystemCommand(
                "The prompt of a turn", "What the picked one was answered to", chat.action_prompt
            )
            yield SystemCommand(
                "What would be sent now",
                "The prompt for what is in the message box",
                chat.action_prompt_next,
            )
            yield SystemCommand("Redo", "Bring back what was undone", chat.action_redo)
            yield SystemCommand(
                "New branch", "It begins at the picked message, or at the end", chat.action_branch
            )
            yield SystemCommand(
                "Tag", "Give the picked message, or the end, a name", chat.action_tag
            )
            yield SystemCommand(
                "Talk on from here", "From the picked message, on a new branch", chat.action_rewind
            )
            yield SystemCommand(
                "Copy the last reply", "Its source text, to the clipboard", chat.action_copy_reply
            )
            yield SystemCommand("Show or hide times", "Beside the messages", chat.view.toggle_times)
            yield SystemCommand(
                "Reload the history", "After a change from outside", chat.action_reload
            )
            yield SystemCommand("Show the folder", "Where this companion lives", chat.action_folder)
            yield SystemCommand("Keys", "The keys that work here", chat.action_keys)
        yield SystemCommand("Theme", "Choose colours", self.action_change_theme)
        yield SystemCommand("Quit", "Everything said is kept", self.run_quit)

    async def run_quit(self) -> None:
        """Quit as the key does."""
        await self.action_quit()

    async def action_quit(self) -> None:
        """Quit; a running reply is stopped and committed before."""
        if self._chat.begin_leaving():
            self.exit(0)

    def action_leave(self) -> None:
        """The turn that was waited for has ended."""
        self.exit(0)

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
