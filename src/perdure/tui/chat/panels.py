"""What opens over the conversation: the timeline, the memory browser, search, a turn's prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from perdure.errors import Problem
from perdure.plural import plural
from perdure.tui.drawers.search import Search
from perdure.tui.panel import open_panel
from perdure.tui.workers import work
from perdure.views.reader import BackgroundReader

if TYPE_CHECKING:
    from perdure.companion.ids import TurnId
    from perdure.git.repository.repository import Repository
    from perdure.tui.chat.conversation import Conversation
    from perdure.tui.host import ChatHost
    from perdure.tui.memory.screen import MemoryScreen
    from perdure.tui.timeline.lists import Tab
    from perdure.tui.timeline.screen import TimelineScreen
    from perdure.views.search import HistorySearch, SearchResult
    from perdure.views.why.explain import Explanation

_WORTH_TELLING = 1000
"""With more commits or files than this, the screen says that an index is being made."""


class PanelController:
    """Opens panels, and goes to the turn that was chosen there.

    Questions about years of history go to readers of their own, so that none holds up a turn.
    """

    def __init__(self, conversation: Conversation, host: ChatHost) -> None:
        """``host``: what panels are given of the chat screen."""
        self._conversation = conversation
        self.screen = conversation.screen
        self._host = host
        self._readers: dict[str, BackgroundReader] = {}
        self._search: HistorySearch | None = None
        self._is_review_told = False
        self.last_search = Search()

    # -- readers -------------------------------------------------------------------------------

    def _reader(self, name: str) -> BackgroundReader | None:
        """The reader of that name; None, with a notice, until the companion is open."""
        session = self._conversation.open_session()
        if session is None:
            return None
        if name not in self._readers:
            self._readers[name] = BackgroundReader(session.info.path)
        return self._readers[name]

    def close(self) -> None:
        """Let go of the readers, and of the index that one of them holds."""

        def let_go() -> None:
            if self._search is not None:
                self._search.close()

        for name, each in self._readers.items():
            each.close_with(let_go if name == "life" else lambda: None)

    def _pair(self, name: str) -> tuple[BackgroundReader, BackgroundReader] | None:
        """Readers for a panel's lists, and for what is beside them; None where none may open.

        A long history's index is made by one; what is beside the list comes from the other.
        """
        lists, beside = self._reader(name), self._reader("beside")
        if lists is None or beside is None or open_panel(self.screen.app) is not None:
            return None
        return lists, beside

    # -- the timeline and the memory browser ---------------------------------------------------

    @property
    def timeline(self) -> TimelineScreen | None:
        """The timeline, while it is open."""
        from perdure.tui.timeline.screen import TimelineScreen

        panel = open_panel(self.screen.app)
        return panel if isinstance(panel, TimelineScreen) else None

    def open_timeline(self, tab: Tab) -> None:
        """Open the timeline; where it is open already, go to one of its lists."""
        from perdure.tui.timeline.screen import TimelineScreen

        if self.timeline is not None:
            self.timeline.go_to(tab)
        elif (readers := self._pair("timeline")) is not None:
            screen = TimelineScreen(self._host, readers, self._conversation.glyphs, tab)
            self.screen.app.push_screen(screen)

    @property
    def memory(self) -> MemoryScreen | None:
        """The memory browser, while it is open."""
        from perdure.tui.memory.screen import MemoryScreen

        panel = open_panel(self.screen.app)
        return panel if isinstance(panel, MemoryScreen) else None

    def open_memory(self) -> None:
        """Open the memory browser."""
        from perdure.tui.memory.screen import MemoryScreen

        if (readers := self._pair("memory")) is not None:
            screen = MemoryScreen(self._host, readers, self._conversation.glyphs)
            self.screen.app.push_screen(screen)

    def open_device_conflicts(self) -> None:
        """Open the list of what two devices changed differently, in place of an open panel."""
        from perdure.tui.conflicts.device_screen import DeviceConflictsScreen

        panel, reader = open_panel(self.screen.app), self._reader("beside")
        if reader is None or isinstance(panel, DeviceConflictsScreen):
            return
        if panel is not None:
            panel.dismiss()
        self.screen.app.push_screen(
            DeviceConflictsScreen(self._host, reader, self._conversation.glyphs)
        )

    @work(group="review", exclusive=True)
    async def show_review_hint(self) -> None:
        """Say once that there is something to review, unless a notice is shown already."""
        reader = None if self._is_review_told else self._reader("memory")
        if reader is None:
            return
        self._is_review_told = True
        from perdure.views.memory import count_waiting

        try:
            count = await reader.ask(count_waiting)
        except Problem:  # the browser says it, when somebody asks
            return
        if count and not self._conversation.flash.display:
            waiting = plural(count, "fact", "facts and summaries")
            self._conversation.flash.show(f"{waiting} to review: F6")

    # -- the prompt ----------------------------------------------------------------------------

    def open_prompt(self) -> None:
        """Open the prompt of the picked turn; without one, the prompt that would be sent now."""
        here = self._conversation
        view = here.view
        if view.empty or self.screen.focused is not view or view.cursor is None:
            self.open_next_prompt()
            return
        turn = here.turn_to_act_on()
        reader = self._reader("beside") if turn is not None else None
        if turn is None or reader is None:
            return

        def progress(done: int, total: int) -> None:
            """Tells how an index grows; called on the reader's thread."""
            reader.goes_on()
            if max(done, total) >= _WORTH_TELLING:
                share = f"{done:,} of {total:,}" if total else f"{done:,}"
                words = f"Reading the history once: {share}"
                self.screen.app.call_from_thread(here.flash.show, words)

        def ask(repo: Repository) -> Explanation:
            from perdure.views.why.explain import explain

            return explain(repo, turn, progress=progress)

        self._open_prompt(lambda: reader.ask(ask))

    def open_next_prompt(self) -> None:
        """Open the prompt that would be sent now for what is in the message box."""
        words = self._conversation.composer.text.strip()
        session = self._conversation.free_session()
        if session is None:
            return
        if words:
            self._open_prompt(lambda: session.preview(words))
        else:
            self._conversation.flash.show(
                "Write a message first, to see what would be sent with it."
            )

    def _open_prompt(self, ask: Callable[[], Awaitable[Explanation]]) -> None:
        from perdure.tui.drawers.prompt import PromptView

        view = PromptView(ask, self._conversation.glyphs)
        self.screen.app.push_screen(view, self._go_to)

    # -- search --------------------------------------------------------------------------------

    def open_search(self) -> None:
        """Find earlier moments in all conversations."""
        from perdure.tui.drawers.search import SearchView

        here, reader = self._conversation, self._reader("life")
        if reader is None:
            return
        view: SearchView

        def find(words: str) -> Callable[[Repository], SearchResult]:
            def ask(repo: Repository) -> SearchResult:
                from perdure.views.search import HistorySearch

                if self._search is None:
                    self._search = HistorySearch()
                return self._search.find(repo, words, here.now(), progress=progress)

            return ask

        def progress(done: int, total: int) -> None:
            reader.goes_on()
            if total >= _WORTH_TELLING // 10 and view.is_attached:
                said = f"Reading the conversations once: {done:,} of {total:,}"
                self.screen.app.call_from_thread(view.say, said)

        view = SearchView(lambda words: reader.ask(find(words)), self.last_search, here.glyphs)
        self.screen.app.push_screen(view, self._go_to)

    def go_to_found(self, step: int) -> None:
        """Go to the next moment of the last search, or to the one before."""
        here, search = self._conversation, self.last_search
        if not search.turns:
            here.flash.show("You have not searched yet; / searches.")
            return
        turn = search.step(step)
        if turn is None:
            edge = "last" if step > 0 else "first"
            here.flash.show(f"That is the {edge} moment with “{search.words}”.")
        elif here.go_to_turn(turn):
            place = f"{search.at + 1} of {len(search.turns)}"
            here.flash.show(f"{place} with “{search.words}”")

    def _go_to(self, turn: TurnId | None) -> None:
        if turn is not None:
            self._conversation.go_to_turn(turn)
