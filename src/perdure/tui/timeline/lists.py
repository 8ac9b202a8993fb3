"""The lists of the timeline, and beside them what the row under the cursor is about."""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from perdure.chat import looking_back
from perdure.chat.looking_back import FOLDERS, Names, Row
from perdure.tui.dialogs.question import one_row
from perdure.tui.panel import PanelScreen
from perdure.tui.timeline.about import About, about
from perdure.tui.timeline.lanes import draw
from perdure.tui.timeline.rows import branch_row, history_row, operation_row
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.status_line import StatusLine
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.chat.looking_back import BranchName
    from perdure.chat.reader import Reader
    from perdure.chat.steering.undoing import OpsRow
    from perdure.history.repository import Repository
    from perdure.history.timeline_query import Listed
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.host import ChatHost
    from perdure.tui.panel import Keys
    from perdure.tui.timeline.lanes import Drawn

Tab = Literal["History", "Branches", "Operations"]
TABS: tuple[Tab, ...] = ("History", "Branches", "Operations")
_PAGE = 120
_LONGEST_PAGE = 2000
_LANES, _NARROW_LANES = 10, 5
"""Columns of the graph that there is room for; more of them are cut off."""
_NEAR_END = 25
_OPERATIONS = 300
_WORTH_TELLING = 1000
"""Commits from which it is told that an index is being made."""


class TimelineLists(PanelScreen):
    """Reads and shows them; what keys do is `TimelineScreen`'s."""

    HINTS = (
        ("[ ]", "lists", "screen.tab(1)"),
        ("enter", "show", "screen.open"),
        ("R", "take back", "screen.revert"),
        ("z", "undo", "screen.undo"),
        ("esc", "talk", "screen.leave"),
        ("?", "keys", "screen.keys"),
    )

    def __init__(
        self,
        chat: ChatHost,
        readers: tuple[Reader, Reader],
        glyphs: Glyphs,
        tab: Tab = "History",
    ) -> None:
        super().__init__(chat, glyphs)
        self._reader, self._beside = readers
        self._tab: Tab = tab
        self._kind = "all"
        self._grep = ""
        self._names = Names()
        self._tip = ""
        self._tips: tuple[str, ...] = ()
        self._listed: list[Listed] = []
        self._ends = False
        self._loading = False
        self._opened: set[str] = set()
        self._history: list[Row] = []
        self._operations: list[OpsRow] = []
        self._wanted_entry = ""

    def compose(self) -> ComposeResult:
        yield Static(id="timeline-head", markup=False)
        with Horizontal(id="timeline-panes"):
            yield OptionList(id="rows", markup=False)
            with VerticalScroll(id="preview", can_focus=False):
                yield Static(id="preview-text", markup=False)
        with Vertical(id="timeline-foot"):
            yield Flash(self._glyphs, widget_id="timeline-flash")
            yield Input(id="find", placeholder="Words in the message; enter finds, esc closes")
        yield StatusLine(self._glyphs, widget_id="status")

    def on_mount(self) -> None:
        self.query_one("#find").display = False
        self._tell_status()
        self.set_interval(0.5, self._tell_status)
        self.read()

    # -- reading -------------------------------------------------------------------------------

    def refresh_list(self) -> None:
        """Read the list anew."""
        self.read()

    @work(group="read", exclusive=True)
    async def read(self) -> None:
        """Read all anew: something was done, or something else is wanted."""
        await self._guarded(self._read_first)

    async def _read_first(self) -> None:
        self._tell_head()
        kind, grep, is_graph = self._kind, self._grep, self._is_graph
        count = min(max(_PAGE, len(self._listed)), _LONGEST_PAGE)

        def first(repo: Repository) -> tuple[Names, str, tuple[str, ...], list[Listed]]:
            tip = repo.resolve("HEAD")
            names = looking_back.names(repo)
            beside = tuple(each.commit for each in names.branches) if is_graph else ()
            found = looking_back.page(
                repo, tip, kind, grep=grep, count=count, beside=beside, progress=self._progress
            )
            return names, tip, beside, found

        if self._tab == "Operations":
            await self._read_operations()
            return
        self._names, self._tip, self._tips, self._listed = await self._reader.ask(first)
        self._ends = len(self._listed) < count
        self._show()

    async def _read_operations(self) -> None:
        from perdure.chat.steering import undoing
        from perdure.chat.steering.helm import Helm

        self._operations = await self._reader.ask(
            lambda repo: undoing.rows(Helm(repo), _OPERATIONS)
        )
        self._show()

    def _progress(self, done: int, total: int) -> None:
        """Called on the reader's thread while the index of a long history is made."""
        self._reader.goes_on()
        if max(done, total) < _WORTH_TELLING:
            return
        share = f"{done:,} of {total:,}" if total else f"{done:,}"
        self.app.call_from_thread(self.flash.tell, f"Reading the history: {share} commits")

    @work(group="more")
    async def _read_more(self) -> None:
        if self._loading or self._ends or self._tab != "History":
            return
        self._loading = True
        wanted = (self._kind, self._grep, self._tip, self._tips, len(self._listed))
        kind, grep, tip, tips, seen = wanted
        # Each page is as long as all before it: what is read on is shown anew as a whole.
        count = min(max(_PAGE, seen), _LONGEST_PAGE)

        async def more() -> None:
            found = await self._reader.ask(
                lambda repo: looking_back.page(
                    repo,
                    tip,
                    kind,
                    grep=grep,
                    skip=seen,
                    count=count,
                    beside=tips,
                    progress=self._progress,
                )
            )
            now = (self._kind, self._grep, self._tip, self._tips, len(self._listed))
            if now == wanted:
                self._listed += found
                self._ends = len(found) < count
                self._show()

        try:
            await self._guarded(more)
        finally:
            self._loading = False

    # -- showing -------------------------------------------------------------------------------

    def _show(self) -> None:
        texts = self._texts()
        is_first = not self._keys
        self.show_rows(texts, self._row_keys(), Text("Nothing here.", "dim"))
        if not texts:
            self._preview_none()
            return
        if self._tab == "Operations" and (is_first or self._wanted_entry):
            self.rows.highlighted = self._operation_at(self._wanted_entry)
            self._wanted_entry = ""
        self._fill()

    def _row_keys(self) -> Keys:
        match self._tab:
            case "Branches":
                return [(each.name,) for each in self._names.branches]
            case "Operations":
                return [(each.entry.id,) for each in self._operations]
            case _:
                return [each.commits for each in self._history]

    def _texts(self) -> list[Text]:
        glyphs, year = self._glyphs, self._chat.conversation.now().year
        if self._tab == "Branches":
            return [branch_row(each, glyphs, year=year) for each in self._names.branches]
        texts: list[Text] = []
        before: datetime | None = None
        if self._tab == "Operations":
            for each in self._operations:
                texts.append(operation_row(each, glyphs, before=before, year=year))
                before = each.entry.at
            return texts
        graph: list[Drawn] = []
        if self._is_graph:
            self._history = looking_back.collapse_lines(
                self._listed, self._names, self._opened, here=self._tip
            )
            commits = ((row.commit.id, row.parents) for row in self._history)
            most = _NARROW_LANES if self.has_class("-narrow") else _LANES
            graph = draw(commits, self._tip, glyphs, most)
        else:
            self._history = looking_back.collapse(self._listed, self._names, self._opened)
        for row, drawn in zip_longest(self._history, graph):
            texts.append(history_row(row, glyphs, before=before, year=year, drawn=drawn))
            before = row.commit.at
        return texts

    @property
    def _is_graph(self) -> bool:
        """Whether all branches are shown; what is narrowed down is of the current one alone."""
        return self._kind == "all" and not self._grep

    def _fill(self) -> None:
        """Read on while collapsed rows do not fill the list."""
        near = (self.rows.highlighted or 0) + _NEAR_END
        if self._tab == "History" and len(self._history) < max(near, self.size.height):
            self._read_more()

    def _operation_at(self, entry: str) -> int:
        ids = [row.entry.id for row in self._operations]
        marks = [row.mark for row in self._operations]
        if entry in ids:
            return ids.index(entry)
        return marks.index("undo") if "undo" in marks else 0

    def _tell_head(self) -> None:
        head: list[str | tuple[str, str]] = [" "]
        for tab in TABS:
            chosen = tab == self._tab
            head += [(f"[{tab}]", "bold $accent") if chosen else (f" {tab} ", "dim"), " "]
        if self._tab == "History":
            head.append("  ")
            for kind in FOLDERS:
                chosen = kind == self._kind
                head.append((f"<{kind}>", "bold") if chosen else (f" {kind} ", "dim"))
            if self._grep:
                head.append((f"  /{one_row(self._grep)}", "italic"))
        self.query_one("#timeline-head", Static).update(Content.assemble(*head))

    # -- the row under the cursor --------------------------------------------------------------

    @property
    def row(self) -> Row | BranchName | OpsRow | None:
        """What the cursor is on."""
        at = self.rows.highlighted
        lists: dict[Tab, list[Row] | tuple[BranchName, ...] | list[OpsRow]] = {
            "History": self._history,
            "Branches": self._names.branches,
            "Operations": self._operations,
        }
        here = lists[self._tab]
        return here[at] if at is not None and at < len(here) else None

    @property
    def commit(self) -> str:
        """The commit that the row is about; "" without one."""
        from perdure.chat.looking_back import BranchName

        row = self.row
        if isinstance(row, Row):
            return row.commit.id
        if isinstance(row, BranchName):
            return row.commit
        if row is None:
            return ""
        return row.entry.id if row.entry.is_commit else row.entry.after.commit or ""

    @on(OptionList.OptionHighlighted, "#rows")
    def _highlighted(self) -> None:
        self._fill()
        self._look()

    def _preview_none(self) -> None:
        self.query_one("#preview-text", Static).update("")

    @work(group="preview", exclusive=True)
    async def _look(self) -> None:
        """Show what the row under the cursor is about, beside the list."""
        if self.has_class("-narrow"):
            return

        async def look() -> None:
            found = await self._find()
            if found is not None:
                self.query_one("#preview-text", Static).update(found.text())
                self.query_one("#preview").scroll_home(animate=False)

        await self._guarded(look)

    async def _find(self) -> About | None:
        row = self.row
        if row is None:
            return None
        return await self._beside.ask(lambda repo: about(repo, row))
