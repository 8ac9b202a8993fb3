"""What can be asked of the talk: a turn's prompt, where words were said, what she knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.companion.ids import TurnId
from perdure.errors import Problem
from perdure.tui.chat.answers import AnswersScreen
from perdure.tui.drawers.search import Search
from perdure.tui.workers import work
from perdure.views.reader import Reader

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.tui.memory.screen import MemoryScreen
    from perdure.tui.panel import OverScreen
    from perdure.tui.widgets.flash import Flash
    from perdure.views.search import Found, LifeSearch
    from perdure.views.timeline import Names
    from perdure.views.why.explain import Explanation

_WORTH_TELLING = 1000
"""Commits, or files, from which it is told that an index is being made."""


class InquiringScreen(AnswersScreen):
    """Opens what stands over the talk, and goes to the turn that was chosen there.

    Questions about years of history go to readers of their own, so that none holds up a turn.
    """

    _life: LifeSearch | None = None
    _told_of_review = False

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - `TalkingScreen`'s own
        super().__init__(*given)
        self._readers: dict[str, Reader] = {}
        self._search = Search()

    def reader(self, name: str) -> Reader | None:
        """The reader of that name; None until the companion is open, which is told."""
        session = self.session
        if session is None:
            self.flash.tell("The companion is not open yet.", "warning")
            return None
        if name not in self._readers:
            self._readers[name] = Reader(session.info.path)
        return self._readers[name]

    def on_unmount(self) -> None:
        """Let go of the readers, and of the index that one of them holds."""
        life = self._life
        for name, each in self._readers.items():
            each.close_with(life.close if life is not None and name == "life" else lambda: None)

    def _progress(self, reader: Reader, what: str) -> Callable[[int, int], None]:
        """Tells how an index grows; called on the reader's thread."""

        def tell(done: int, total: int) -> None:
            reader.goes_on()
            if max(done, total) >= _WORTH_TELLING:
                share = f"{done:,} of {total:,}" if total else f"{done:,}"
                self.app.call_from_thread(self.flash.tell, f"Reading the {what} once: {share}")

        return tell

    # -- what stands over the talk -------------------------------------------------------------

    @property
    def over(self) -> OverScreen | None:
        """The timeline or the memory browser, while it is open."""
        from perdure.tui.panel import OverScreen

        stack = self.app.screen_stack
        return next((each for each in stack if isinstance(each, OverScreen)), None)

    @property
    def flash(self) -> Flash:
        """The notice row of the screen that is seen."""
        over = self.over
        if over is not None and over.is_mounted:
            return over.flash
        return super().flash

    def names_known(self, names: Names) -> None:
        """Something was done to the history: what stands over the talk shows it too."""
        super().names_known(names)
        if self.over is not None:
            self.over.refresh_list()

    def will_walk(self, entry: str) -> None:
        """The timeline shows what undo is about to take."""
        if self.over is not None:
            self.over.will_walk(entry)

    # -- the prompt ----------------------------------------------------------------------------

    def action_prompt(self) -> None:
        """What the picked turn was answered to; without one, what would be sent now."""
        if self.view.empty or self.focused is not self.view or self.view.cursor is None:
            self.action_prompt_next()
            return
        turn = self.turn_to_act_on()
        if turn is None:
            return
        reader = self.reader("beside")
        if reader is None:
            return

        def ask(repo: Repository) -> Explanation:
            from perdure.views.why.explain import explain

            return explain(repo, turn, progress=self._progress(reader, "history"))

        self._open_prompt(lambda: reader.ask(ask))

    def action_prompt_next(self) -> None:
        """What would be sent now for the words in the message box."""
        session, words = self.session, self.composer.text.strip()
        if session is None:
            self.flash.tell("The companion is not open yet.", "warning")
        elif self._talking:
            self.flash.tell("Wait for the reply, or stop it with esc first.", "warning")
        elif not words:
            self.flash.tell("Write a message first; it is shown with what would go along with it.")
        else:
            self._open_prompt(lambda: session.preview(words))

    def _open_prompt(self, ask: Callable[[], Any]) -> None:
        from perdure.tui.drawers.prompt import PromptView

        self.app.push_screen(PromptView(ask, self._glyphs), self._go_to)

    # -- search --------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Find earlier moments of the whole life."""
        from perdure.tui.drawers.search import SearchView

        reader = self.reader("life")
        if reader is None:
            return
        view: SearchView

        def find(words: str) -> Callable[[Repository], Found]:
            def ask(repo: Repository) -> Found:
                from perdure.views.search import LifeSearch

                if self._life is None:
                    self._life = LifeSearch()
                return self._life.find(repo, words, self.now(), progress=progress)

            return ask

        def progress(done: int, total: int) -> None:
            reader.goes_on()
            if total >= _WORTH_TELLING // 10 and view.is_attached:
                said = f"Reading the conversations once: {done:,} of {total:,}"
                self.app.call_from_thread(view.say, said)

        view = SearchView(lambda words: reader.ask(find(words)), self._search, self._glyphs)
        self.app.push_screen(view, self._go_to)

    def action_found_after(self) -> None:
        """The next moment of the last search."""
        self._step(1)

    def action_found_before(self) -> None:
        """The one before it."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if not self._search.turns:
            self.flash.tell("Nothing was searched for yet; / does.")
            return
        turn = self._search.step(by)
        if turn is None:
            edge = "last" if by > 0 else "first"
            self.flash.tell(f"That is the {edge} moment with “{self._search.words}”.")
        elif self.go_to_turn(turn):
            place = f"{self._search.at + 1} of {len(self._search.turns)}"
            self.flash.tell(f"{place} with “{self._search.words}”")

    # -- going there ---------------------------------------------------------------------------

    def _go_to(self, turn: TurnId | None) -> None:
        if turn is not None:
            self.go_to_turn(turn)

    def go_to_turn(self, turn: TurnId) -> bool:
        """Bring a turn into view, the cursor on it; False where it is not on this branch."""
        if self.view.pick_turn(turn, first=True):
            if self.view.cursor is not None:
                self.view.show(self.view.cursor)
            self.view.focus()
            return True
        self.flash.tell("That turn is not in the talk of this branch.", "warning")
        return False

    # -- an open merge -------------------------------------------------------------------------

    def merge_known(self) -> None:
        """The list of conflicts shows what is left of them."""
        from perdure.tui.conflicts.screen import ConflictsScreen

        super().merge_known()
        if isinstance(self.over, ConflictsScreen):
            self.over.refresh_list()

    def open_conflicts(self) -> None:
        """Show what the open merge waits for, in the place of what stands over the talk."""
        from perdure.tui.conflicts.screen import ConflictsScreen

        over, found = self.over, self.open_join
        if found is None or isinstance(over, ConflictsScreen):
            return
        if over is not None:
            over.dismiss()
        self.app.push_screen(ConflictsScreen(self, found, self._glyphs))

    # -- what she knows ------------------------------------------------------------------------

    @property
    def memory(self) -> MemoryScreen | None:
        """The memory browser, while it is open."""
        from perdure.tui.memory.screen import MemoryScreen

        over = self.over
        return over if isinstance(over, MemoryScreen) else None

    def action_memory(self) -> None:
        """What she knows, and what waits for the user's word."""
        from perdure.tui.memory.screen import MemoryScreen

        lists, beside = self.reader("memory"), self.reader("beside")
        if lists is not None and beside is not None and self.over is None:
            self.app.push_screen(MemoryScreen(self, (lists, beside), self._glyphs))

    def history_changed(self) -> None:
        """Something was committed that the talk does not show."""
        self._tell_info()
        self._read_names()

    def keep_words(self, words: str) -> None:
        """Words that could not be kept elsewhere go into the message box."""
        self._put_back([words])

    def opened(self) -> None:
        """Say once that something waits, unless there is something else to say."""
        super().opened()
        self._tell_of_review()

    @work(group="review", exclusive=True)
    async def _tell_of_review(self) -> None:
        reader = None if self._told_of_review else self.reader("memory")
        if reader is None:
            return
        self._told_of_review = True
        from perdure.views.memory import count_waiting

        try:
            count = await reader.ask(count_waiting)
        except Problem:  # the browser says it, when somebody asks
            return
        if count and not self.flash.display:
            waits = "fact waits" if count == 1 else "facts and summaries wait"
            self.flash.tell(f"{count} {waits} for your word: F6")
