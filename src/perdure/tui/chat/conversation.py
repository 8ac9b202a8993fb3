"""The conversation on the screen: its session, its branch, what runs, and its widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.companion.ids import TurnId
from perdure.errors import one_line
from perdure.terminal.sanitise import sanitise
from perdure.tui.chat.pages import History
from perdure.tui.chat.presenter import Presenter
from perdure.tui.dialogs.question import Choice, Question
from perdure.tui.draft import Draft, is_there
from perdure.tui.error_text import error_parts
from perdure.tui.panel import open_panel
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.composer import Composer
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.status_line import StatusLine
from perdure.tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from textual.screen import Screen

    from perdure.chat.session import Session
    from perdure.companion.ids import ConversationId
    from perdure.snapshot.conversation.transcript import Transcript
    from perdure.terminal.glyphs import Glyphs


class Conversation:
    """What the chat screen's controllers share. It alone knows what is open and what runs."""

    def __init__(
        self,
        screen: Screen[None],
        glyphs: Glyphs,
        clock: Callable[[], datetime],
        history_read: Callable[[], None],
    ) -> None:
        """``history_read``: called each time the history was read."""
        self.screen = screen
        self.glyphs = glyphs
        self.now = clock
        self._history_read = history_read
        self.view = TranscriptView(glyphs, widget_id="transcript")
        self.composer = Composer(widget_id="composer")
        self.status = StatusLine(glyphs, widget_id="status")
        self.welcome = Welcome(glyphs, widget_id="welcome")
        self.own_flash = Flash(glyphs, widget_id="flash")
        self.presenter = Presenter(self.view.feed, clock)
        self.draft = Draft(None)
        self.pages: History | None = None
        self.branch: str | None = None
        self.is_ready = False
        """The companion is open, and its model as far as it could be loaded."""
        self.is_talking = False
        """A turn runs."""
        self.is_acting = False
        """Something is being done to the history."""
        self.is_looking = False
        """It is being looked whether another program moved the branch."""
        self.session: Session | None = None
        """The open session; None until the companion is open."""
        self._transcript: Transcript | None = None
        self._was_there = False
        """The companion's folder was found where the session says."""

    # -- what is open, and what runs -----------------------------------------------------------

    @property
    def is_gone(self) -> bool:
        """Whether the companion's folder has disappeared since it was opened."""
        return self.session is not None and self._was_there and not is_there(self.session.info.path)

    def may_send(self) -> bool:
        """Whether a turn may begin: not while something acts on the history."""
        return not (self.is_acting or self.is_looking)

    def open_session(self) -> Session | None:
        """The session; None, with a notice, where the companion is not open yet."""
        if self.session is None:
            self.flash.show("The companion is not open yet.", "warning")
        return self.session

    def free_session(self) -> Session | None:
        """The session; None, with a notice, while it is not open or a turn runs."""
        session = self.open_session()
        if session is not None and self.is_talking:
            self.flash.show("Wait for the reply, or stop it with esc first.", "warning")
            return None
        return session

    # -- the history ---------------------------------------------------------------------------

    def open(self, session: Session, transcript: Transcript) -> None:
        """Show a companion that was opened."""
        self.session, self._transcript = session, transcript
        info = session.info
        self._was_there = is_there(info.path)
        rehearsals = frozenset({info.next_backend}) if info.rehearsal else frozenset()
        self.presenter.user, self.presenter.companion = info.user or "You", info.companion
        self.presenter.rehearsals = rehearsals
        self.pages = History(transcript, rehearsals)
        self.presenter.stands_at(*self.pages.last())
        estimates = self.pages.estimates(self.view.text_width)
        self.branch = info.branch
        self.view.open_history(self.pages.page, estimates, self.pages.page_of)
        self._history_read()
        self.show_info()

    def reload(self) -> None:
        """Read the list of chunks again: another program may have added some."""
        if self.session is None or self.is_talking:
            self.flash.show("Not while a reply is running.", "warning")
        else:
            self.read_again()

    def read_again(self, expected: ConversationId | None = None) -> None:
        """Read the history from the repository again; this session's turns are part of it by now.

        The view and its cursor stay where they are; on another branch they go to the end.
        Nothing changes where the history does not hold the ``expected`` conversation.
        """
        if self.session is None or self._transcript is None:
            return
        branch = self.session.info.branch
        self._transcript.refresh(branch)
        pages = History(self._transcript, self.presenter.rehearsals)
        if expected is not None and pages.first_page(expected) is None:
            return
        waiting = self.presenter.forget_locations()
        self.welcome.display = False
        self.pages = pages
        self.presenter.stands_at(*pages.last())
        estimates = pages.estimates(self.view.text_width)
        stays, self.branch = branch == self.branch, branch
        self.view.replace_history(pages.page, estimates, pages.page_of, stays=stays)
        self._history_read()
        self.greet()
        for text in waiting:
            self.presenter.enqueue(text)
        if self.screen.focused is self.view and self.view.cursor is None:
            self.view.pick_last()

    def greet(self) -> bool:
        """Show the greeting that the next message will be sent under; True where there is one."""
        greeting = self.session.opening() if self.session is not None else None
        self.presenter.greet(greeting)
        return greeting is not None

    # -- what is shown ------------------------------------------------------------------------

    @property
    def flash(self) -> Flash:
        """The notice row of the screen that is on top."""
        panel = open_panel(self.screen.app)
        return panel.flash if panel is not None and panel.is_mounted else self.own_flash

    def show_error(self, error: BaseException) -> None:
        """Say what went wrong above the message box."""
        self.flash.show(one_line(*error_parts(error)), "error")

    def show_unforeseen(self, error: BaseException) -> None:
        """Show an error that nobody foresaw; what is being written is kept."""
        self.keep_draft()
        self.show_error(error)

    def show_info(self) -> None:
        """Show the session's state on the status line."""
        if self.session is None:
            return
        info = self.session.info
        self.status.change(
            companion=info.companion,
            branch=info.branch,
            backend=info.next_backend,
            model=info.next_model,
            once=info.once,
            away=info.unavailable,
            rehearsal=info.rehearsal,
            saved_at=info.saved_at,
            used=info.used,
            window=info.window,
        )

    def show_composer(self) -> None:
        """Show on the message box what its keys do and who is written to."""
        composer, dot = self.composer, self.glyphs.separator
        if self.is_talking:
            composer.border_subtitle = f"esc stop {dot} enter queues"
        else:
            composer.border_subtitle = f"enter send {dot} ctrl+j newline"
        name = sanitise(self.presenter.companion).replace("\n", " ")
        composer.placeholder = f"Write to {name}" if name else "Write"

    async def ask(
        self, title: str, lines: Sequence[str], *choices: Choice, yes: Sequence[str] = ("y",)
    ) -> str:
        """Ask a question; returns the answer, "" for none."""
        question = Question(title, lines, choices, self.glyphs, yes=yes)
        return await self.screen.app.push_screen_wait(question) or ""

    async def agrees(
        self,
        title: str,
        lines: Sequence[str],
        leave: Choice,
        go: Choice,
        yes: Sequence[str] = ("y",),
    ) -> bool:
        """Ask whether to go on; where not, say that nothing was changed."""
        if await self.ask(title, lines, leave, go, yes=yes):
            return True
        self.flash.show("Nothing was changed.")
        return False

    def run_soon(self, action: str) -> None:
        """Run an action of the screen once the present message is handled."""
        self.screen.call_later(self.screen.run_action, action)

    # -- what is being written -----------------------------------------------------------------

    def keep_draft(self) -> None:
        """Keep on disk what is in the message box."""
        self.draft.save(self.composer.text)

    def put_back(self, messages: Sequence[str]) -> None:
        """Put messages before what is in the message box, and into the draft."""
        self.composer.put("\n\n".join([*messages, self.composer.text]).strip())
        self.keep_draft()

    def write(self) -> None:
        """Go to the message box; at the end of the transcript the cursor is taken away."""
        if self.view.following:
            self.view.cursor = None
        self.composer.focus()

    # -- the message under the cursor ----------------------------------------------------------

    @property
    def picked_turn(self) -> TurnId | None:
        """The turn under the cursor of the transcript."""
        speech = self.view.picked
        return speech.turn if speech is not None else None

    def sees_picked(self) -> bool:
        """Whether keys may act on the picked message: only where it can be seen.

        Where it is out of view it is brought there, with a word; from the message box the newest
        message is picked.
        """
        view = self.view
        if view.empty:
            self.flash.show("Nothing has been said here yet.")
            return False
        if self.screen.focused is not view:
            view.focus()
            view.pick_seen()
        if view.cursor is None:
            self.flash.show("Select a message first, with j and k.")
            return False
        if not view.cursor_in_view:
            view.jump_into_view(view.cursor)
            self.flash.show("This message is selected now. Press the key again.")
            return False
        return True

    def turn_to_act_on(self) -> TurnId | None:
        """The picked turn; None, with a notice, where it cannot be seen or there is none."""
        if not self.sees_picked():
            return None
        speech = self.view.picked
        if speech is not None and speech.turn is not None:
            return speech.turn
        if speech is not None and speech.own:
            self.flash.show("This message has not been sent yet.")
        else:
            self.flash.show("This is not part of a turn yet.")
        return None

    def place_to_act_on(self) -> str | None:
        """The picked turn while one browses, else the end, as `find_place` takes it.

        None where what is picked is not seen; the screen says so.
        """
        if self.view.empty or self.screen.focused is not self.view:
            return "HEAD"
        if not self.sees_picked():
            return None
        return str(self.picked_turn) if self.picked_turn is not None else "HEAD"

    def go_to_turn(self, turn: TurnId) -> bool:
        """Bring a turn into view, the cursor on it; False where it is not on this branch."""
        if self.view.pick_turn(turn, first=True):
            if self.view.cursor is not None:
                self.view.show(self.view.cursor)
            self.view.focus()
            return True
        self.flash.show("That turn is not on this branch.", "warning")
        return False
