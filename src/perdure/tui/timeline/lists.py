"""The lists of the timeline: history, branches, operations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import zip_longest
from typing import Literal

from rich.text import Text

from perdure.actions.history import undo
from perdure.actions.history.undo import OperationRow
from perdure.actions.workspace import Workspace
from perdure.git.operations.branches import Branch
from perdure.git.repository.repository import Repository
from perdure.git.timeline.query import Listed
from perdure.terminal.glyphs import Glyphs
from perdure.tui.panel import Keys
from perdure.tui.timeline.lanes import Drawn, draw
from perdure.tui.timeline.rows import branch_row, history_row, operation_row
from perdure.views import timeline
from perdure.views.reader import BackgroundReader
from perdure.views.timeline import RefNames, TimelineRow

Tab = Literal["History", "Branches", "Operations"]
TABS: tuple[Tab, ...] = ("History", "Branches", "Operations")
_PAGE = 120
_LONGEST_PAGE = 2000
_OPERATIONS = 300


class TimelineLists:
    """Reads the lists on a reader's thread, as far as they are shown, and gives their rows."""

    def __init__(
        self, reader: BackgroundReader, progress: Callable[[int, int], None], tab: Tab
    ) -> None:
        """``progress``: called on the reader's thread as the index of a long history grows."""
        self._reader = reader
        self._progress = progress
        self.tab: Tab = tab
        self.kind = "all"
        self.words = ""
        self._names = RefNames()
        self._tip = ""
        self._tips: tuple[str, ...] = ()
        self._listed: list[Listed] = []
        self._ends = False
        self._is_reading_on = False
        self._opened: set[str] = set()
        self._history: list[TimelineRow] = []
        self._operations: list[OperationRow] = []

    # -- reading -------------------------------------------------------------------------------

    async def read(self) -> None:
        """Read the list anew, the history as far as it was read before."""
        if self.tab == "Operations":
            self._operations = await self._reader.ask(
                lambda repo: undo.list_operations(Workspace(repo), _OPERATIONS)
            )
            return
        kind, words, is_graph = self.kind, self.words, self._is_graph
        count = min(max(_PAGE, len(self._listed)), _LONGEST_PAGE)

        def first(repo: Repository) -> tuple[RefNames, str, tuple[str, ...], list[Listed]]:
            tip = repo.resolve("HEAD")
            names = timeline.read_ref_names(repo)
            beside = tuple(each.commit for each in names.branches) if is_graph else ()
            found = timeline.history_page(
                repo, tip, kind, grep=words, count=count, beside=beside, progress=self._progress
            )
            return names, tip, beside, found

        self._names, self._tip, self._tips, self._listed = await self._reader.ask(first)
        self._ends = len(self._listed) < count

    def is_short_of(self, rows: int) -> bool:
        """Whether the history is shown, with fewer rows than these."""
        return self.tab == "History" and len(self._history) < rows

    async def read_on(self) -> bool:
        """Read a further page of the history; True where it is still the one that is shown."""
        if self._is_reading_on or self._ends or self.tab != "History":
            return False
        self._is_reading_on = True
        wanted = (self.kind, self.words, self._tip, self._tips, len(self._listed))
        kind, words, tip, tips, seen = wanted
        # Each page is as long as all before it: what is read on is shown anew as a whole.
        count = min(max(_PAGE, seen), _LONGEST_PAGE)
        try:
            found = await self._reader.ask(
                lambda repo: timeline.history_page(
                    repo,
                    tip,
                    kind,
                    grep=words,
                    skip=seen,
                    count=count,
                    beside=tips,
                    progress=self._progress,
                )
            )
        finally:
            self._is_reading_on = False
        if wanted != (self.kind, self.words, self._tip, self._tips, len(self._listed)):
            return False
        self._listed += found
        self._ends = len(found) < count
        return True

    # -- rows ----------------------------------------------------------------------------------

    @property
    def _is_graph(self) -> bool:
        """Whether all branches are shown; what is narrowed down is of the current one alone."""
        return self.kind == "all" and not self.words

    def arrange(self, glyphs: Glyphs, *, year: int, lanes: int) -> tuple[list[Text], Keys]:
        """The rows of the list, and what each is known by. ``lanes``: columns of the graph."""
        if self.tab == "Branches":
            branches = self._names.branches
            texts = [branch_row(each, glyphs, year=year) for each in branches]
            return texts, [(each.name,) for each in branches]
        before: datetime | None = None
        texts = []
        if self.tab == "Operations":
            for each in self._operations:
                texts.append(operation_row(each, glyphs, before=before, year=year))
                before = each.entry.at
            return texts, [(each.entry.id,) for each in self._operations]
        graph: list[Drawn] = []
        if self._is_graph:
            self._history = timeline.collapse_lines(
                self._listed, self._names, self._opened, here=self._tip
            )
            commits = ((row.commit.id, row.parents) for row in self._history)
            graph = draw(commits, self._tip, glyphs, lanes)
        else:
            self._history = timeline.collapse(self._listed, self._names, self._opened)
        for row, drawn in zip_longest(self._history, graph):
            texts.append(history_row(row, glyphs, before=before, year=year, drawn=drawn))
            before = row.commit.at
        return texts, [each.commits for each in self._history]

    def row(self, at: int | None) -> TimelineRow | Branch | OperationRow | None:
        """A row of the list; None where there is none."""
        lists: dict[Tab, list[TimelineRow] | tuple[Branch, ...] | list[OperationRow]] = {
            "History": self._history,
            "Branches": self._names.branches,
            "Operations": self._operations,
        }
        here = lists[self.tab]
        return here[at] if at is not None and at < len(here) else None

    def toggle(self, row: TimelineRow) -> None:
        """List the turns of a row one by one, or as one again."""
        if row.is_folded:
            self._opened.add(row.commit.id)
        else:
            self._opened.difference_update(row.run)

    def operation_at(self, entry: str) -> int | None:
        """The row of an operation, else of the one that undo takes next; None without any."""
        if self.tab != "Operations" or not self._operations:
            return None
        ids = [row.entry.id for row in self._operations]
        marks = [row.mark for row in self._operations]
        if entry in ids:
            return ids.index(entry)
        return marks.index("undo") if "undo" in marks else 0
