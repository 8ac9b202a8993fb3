"""Search in all conversations: what to find, the moments found, and what was said in each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from perdure.plural import plural
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.tui.drawers.drawer import Drawer, clean, short
from perdure.tui.error_text import error_parts, sentence
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.companion.ids import TurnId
    from perdure.views.search import FoundTurn, Marks, SearchResult

_AROUND = 24
"""Characters shown before the first word that was found."""
_MARK = "bold reverse"


@dataclass(slots=True)
class Search:
    """The last search of this session, so that one can go on to the next moment."""

    words: str = ""
    turns: tuple[TurnId, ...] = ()
    at: int = 0

    def step(self, by: int) -> TurnId | None:
        """The next moment; None where there is none further that way."""
        if not 0 <= self.at + by < len(self.turns):
            return None
        self.at += by
        return self.turns[self.at]


class SearchView(Drawer):
    """Enter searches, then goes to the moment under the cursor."""

    TITLE = "Search all conversations"
    FOOT = ("enter searches, then goes there", "/ other words", "esc closes")
    AUTO_FOCUS = "#search-words"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "words", "Other words", id="search.words"),
    ]

    def __init__(
        self, ask: Callable[[str], Awaitable[SearchResult]], search: Search, glyphs: Glyphs
    ) -> None:
        super().__init__(glyphs)
        self._ask = ask
        self._search = search
        self._found: tuple[tuple[FoundTurn, tuple[Marks, ...]], ...] = ()

    def compose_head(self) -> ComposeResult:
        yield Input(self._search.words, id="search-words", select_on_focus=True)
        yield Static(id="drawer-head", markup=False)

    def on_mount(self) -> None:
        hint = 'Words in any form, and times such as "last summer" or "in March"'
        self.query_one("#search-words", Input).placeholder = hint
        if self._search.words:
            self._find(self._search.words)

    @on(Input.Submitted, "#search-words")
    def _submitted(self, event: Input.Submitted) -> None:
        words = event.value.strip()
        if words:
            self.list.focus()
            self._find(words)

    @work(group="search", exclusive=True)
    async def _find(self, words: str) -> None:
        again = words == self._search.words
        self.say("Searching")
        try:
            found = await self._ask(words)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            problem = ". ".join(sentence(part) for part in error_parts(error) if part)
            self.show_head(Text(one_row(problem), "bold red"))
            return
        self._found = found.turns
        self._search.words = words
        self._search.turns = tuple(found_turn.hit.turn for found_turn, _ in found.turns)
        self._search.at = self._search.at if again else 0
        told_count = f"{plural(len(self._found), 'moment')}, best first"
        self.say(f"{found.notice}. {told_count}" if found.notice else told_count)
        self.fill(
            [_row(*each, self._glyphs.ellipsis) for each in self._found],
            empty="No earlier moment has these words.",
        )
        if 0 < self._search.at < len(self._found):
            self.list.highlighted = self._search.at

    def say(self, words: str) -> None:
        """Say how the search goes."""
        self.show_head(Text(one_row(words), "dim"))

    def beside(self, at: int) -> tuple[str, Text]:
        """The whole moment, with what was found marked."""
        return _about(*self._found[at]) if at < len(self._found) else ("", Text())

    def go_in(self) -> None:
        """Go to the moment under the cursor."""
        if self.at is not None and self._found:
            self._search.at = self.at
            self.dismiss(self._found[self.at][0].hit.turn)

    def action_words(self) -> None:
        """Back to the words."""
        self.query_one("#search-words", Input).focus()


def _row(found_turn: FoundTurn, marks: tuple[Marks, ...], ellipsis: str) -> Text:
    """When it was said, by whom, and the words around the first that was found."""
    when = f"{found_turn.at:%d %b %Y}  " if found_turn.at else "no date      "
    row = Text().append(when, "dim")
    said = found_turn.said
    if not said:
        return row
    best = next((at for at, each in enumerate(marks) if each), 0)
    row.append(f"{one_row(said[best].speaker)}: ", "bold")
    text = said[best].text
    spots = marks[best] if best < len(marks) else ()
    begin = max(0, spots[0][0] - _AROUND) if spots else 0
    if begin:
        begin = text.find(" ", begin, spots[0][0]) + 1 or begin
        row.append(ellipsis, "dim")
    # What a terminal would obey is taken out piece by piece, so that the marks keep their places.
    at = begin
    for start, end in spots:
        row.append(_flat(text[at:start]))
        row.append(_flat(text[start:end]), "bold")
        at = end
        if at - begin > 200:
            break
    return row.append(_flat(text[at : at + 200]))


def _about(found_turn: FoundTurn, marks: tuple[Marks, ...]) -> tuple[str, Text]:
    title = one_row(found_turn.title) or str(found_turn.hit.turn.conversation)
    when = f"{found_turn.at:%a %d %b %Y %H:%M}  " if found_turn.at else ""
    text = Text(f"{title}\n", "bold").append(
        f"{when}{short(found_turn.hit.turn)}\n", "not bold dim"
    )
    for said, spots in zip(found_turn.said, marks, strict=True):
        text.append(f"\n{one_row(said.speaker)}\n", "bold")
        at = 0
        for start, end in spots:
            text.append(clean(said.text[at:start]), "not bold")
            text.append(clean(said.text[start:end]), _MARK)
            at = end
        text.append(clean(said.text[at:]).rstrip() + "\n", "not bold")
    return title, text


def _flat(text: str) -> str:
    cleaned = clean(text)
    return "".join(" " if each.isspace() else each for each in cleaned)
