"""The prompt inspector: the prompt of a turn part by part, or the one that would be sent now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from rich.cells import set_cell_size
from rich.text import Text
from textual.binding import Binding, BindingType

from perdure.companion.ids import TurnId
from perdure.companion.memory.aside import TurnRange
from perdure.companion.names import title_from
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.tui.drawers.drawer import Drawer, clean
from perdure.tui.error_text import error_parts, sentence
from perdure.tui.workers import work
from perdure.views.why.explain import ExplainedPart, Explanation
from perdure.views.why.reasons import LeftOut

_KIND = 9
_SOURCE = 26
_VERDICTS = {"matches": "green", "differs": "bold red"}


class PromptView(Drawer):
    """Shows an explanation as soon as it is there. Enter goes to the turn that a part is."""

    TITLE = "The prompt"
    FOOT = ("enter goes there", "o source turn", "m messages", "esc closes")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_in", "Go to this turn, or read the text in full", id="prompt.go"),
        Binding("o", "source", "To the turn that taught this fact", id="prompt.source"),
        Binding("m", "messages", "The exact messages, or the parts again", id="prompt.messages"),
    ]

    def __init__(self, ask: Callable[[], Awaitable[Explanation]], glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._ask = ask
        self._exact = False
        self.explanation: Explanation | None = None

    def on_mount(self) -> None:
        self.show_head(Text("Reading what was sent", "dim"))
        self._read()

    @work(group="explain", exclusive=True)
    async def _read(self) -> None:
        try:
            self.explanation = await self._ask()
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            words = [sentence(part) for part in error_parts(error) if part]
            self.show_head(Text("\n".join(words), "bold red"))
            self.fill((), empty="There is no prompt to show.")
            return
        self._show()

    def _show(self) -> None:
        found = self.explanation
        if found is None:
            return
        self.show_head(prompt_head(found, self._glyphs))
        if self._exact:
            rows = [
                Text(f"{each.role:<{_KIND}} {len(each.content):>7,} characters")
                for each in found.messages
            ]
        else:
            dots = self._glyphs.ellipsis
            rows = [part_row(part, dots) for part in found.parts]
            rows += [_out_row(each, dots) for each in found.left_out]
        self.fill(rows, empty="No prompt was recorded for it.")

    def beside(self, at: int) -> tuple[str, Text]:
        """The text that a part put into the prompt, and why."""
        found = self.explanation
        if found is None:
            return "", Text()
        if self._exact:
            message = found.messages[at]
            name = f" ({message.name})" if message.name else ""
            title = one_row(f"{message.role}{name}")
            return title, Text(f"{title}\n", "bold").append(
                f"\n{clean(message.content)}", "not bold"
            )
        if at >= len(found.parts):
            return _about_out(found.left_out[at - len(found.parts)])
        return _about_part(found.parts[at], exact=found.exact)

    # -- keys ----------------------------------------------------------------------------------

    def go_in(self) -> None:
        """Go to the turn that a part is; read any other in full."""
        turn = self._turn_here()
        if turn is not None:
            self.dismiss(turn)
        else:
            self.action_read()

    def action_go_in(self) -> None:
        """The same by its key."""
        self.go_in()

    def action_source(self) -> None:
        """Go to the turn that taught the fact under the cursor."""
        part = self._part()
        turn = turn_of(part.taught_by) if part is not None and part.taught_by else None
        turn = turn or self._turn_here()
        if turn is not None:
            self.dismiss(turn)

    def action_messages(self) -> None:
        """Show the exact messages, or the parts again."""
        self._exact = not self._exact
        self._show()

    def _part(self) -> ExplainedPart | None:
        found, at = self.explanation, self.at
        if found is None or at is None or self._exact or at >= len(found.parts):
            return None
        return found.parts[at]

    def _turn_here(self) -> TurnId | None:
        found, at = self.explanation, self.at
        if found is None or at is None or self._exact:
            return None
        part = self._part()
        if part is not None:
            return turn_of(part.source)
        return turn_of(found.left_out[at - len(found.parts)].source)


def prompt_head(found: Explanation, glyphs: Glyphs) -> Text:
    """Whose prompt it is, what it costs, and whether it is the one that was sent."""
    dot = f" {glyphs.separator} "
    if found.turn is None:
        title = "What would be sent now"
    else:
        title = f"The prompt behind the reply to {_asked(found)}"
        title += f", answer {found.answer}" if found.answer > 1 else ""
    text = Text(title, "bold")
    if found.assembly:
        who = f"{found.backend} ({found.model})" if found.model else found.backend
        text.append(f"{dot}{one_row(who)}, rules {found.assembly}", "not bold")
    if found.parts:
        whole = f"{found.tokens:,} tokens"
        whole += f" of {found.window:,}" if found.window else ""
        whole += f", {found.reply_tokens:,} in the reply" if found.reply_tokens else ""
        if not found.exact:
            by = "" if found.counter in {"", "estimate"} else f" by {found.counter}"
            whole += f"{dot}parts estimated{by}"
        if found.shared is not None:
            whole += f"{dot}{found.shared:.0%} shared with the turn before"
        text.append(f"\n{one_row(whole)}", "not bold dim")
    if found.verdict == "matches":
        text.append(f"\n{glyphs.saved} The hash matches: {found.recorded}", "not bold green")
    elif found.verdict == "differs":
        said = f"recorded {found.recorded}, "
        said += f"rebuilt {found.rebuilt}" if found.rebuilt else "not rebuilt"
        text.append(f"\n{glyphs.warning} The hash does not match: {said}", _VERDICTS["differs"])
    if found.note:
        text.append(f"\n{one_row(found.note)}", "not bold")
    return text


def _asked(found: Explanation) -> str:
    """The message that a prompt ends with, by its first words."""
    for part in reversed(found.parts):
        if part.kind == "turn" and found.turn is not None and turn_of(part.source) == found.turn:
            return f"“{title_from(part.text)}”"
    return "this turn"


def part_row(part: ExplainedPart, ellipsis: str) -> Text:
    """One part: its tokens, kind, source and reason."""
    row = Text().append(f"{part.tokens:>6,} ", "dim")
    row.append(f"{part.kind:<{_KIND}}", "bold")
    row.append(_source(part.source, part.line, ellipsis, part.text))
    return row.append(one_row(part.reason), "dim")


def _out_row(each: LeftOut, ellipsis: str) -> Text:
    row = Text().append(f"{'cut':>6} ", "italic dim")
    row.append(f"{each.kind:<{_KIND}}{_source(each.source, 0, ellipsis)}", "dim")
    return row.append(one_row(each.reason), "dim")


def _source(source: str, line: int, ellipsis: str, text: str = "") -> str:
    """Where it came from, as a list has room for it: the end of a path, the words of a turn."""
    turns = _turns(source)
    if turns is None:
        shown = one_row(f"{source}:{line}" if line else source)
        if len(shown) > _SOURCE:
            shown = ellipsis + shown[len(ellipsis) - _SOURCE :]
    else:
        shown = one_row(title_from(text, _SOURCE - 2))
        shown = f"“{shown}”" if shown else _named(turns)
    return set_cell_size(shown, _SOURCE) + " "


def _turns(source: str) -> TurnRange | None:
    """The turns that a source names; None for a path."""
    try:
        return TurnRange.parse(source)
    except ValueError:
        return None


def _named(turns: TurnRange) -> str:
    day = turns.conversation.day
    last = "" if turns.first == turns.last else f" to {turns.last}"
    return f"{day.day} {day:%b %Y}, turn {turns.first}{last}"


def _titled(source: str, text: str = "") -> str:
    """What a part is, in full: the day and the words of a turn, else a path."""
    turns = _turns(source)
    if turns is None:
        return one_row(source)
    words = one_row(title_from(text, 60))
    return _named(turns) + (f", “{words}”" if words else "")


def _about_part(part: ExplainedPart, *, exact: bool) -> tuple[str, Text]:
    title = _titled(part.source, part.text) + (f":{part.line}" if part.line else "")
    about = f"{part.kind}, {'' if exact else 'about '}{part.tokens:,} tokens: {part.reason}"
    text = Text(f"{title}\n", "bold").append(one_row(about), "not bold dim")
    if part.taught_by:
        text.append(f"\ntaught by {_titled(part.taught_by)}", "not bold dim")
    if part.score is not None:
        text.append(f"\nscore {part.score:.2f}", "not bold dim")
    return title, text.append(f"\n\n{clean(part.text)}", "not bold")


def _about_out(each: LeftOut) -> tuple[str, Text]:
    title = _titled(each.source)
    score = f" (score {each.score:.2f})" if each.score is not None else ""
    text = Text(f"{title}\n", "bold")
    return title, text.append(f"{each.kind}, left out: {one_row(each.reason)}{score}", "not bold")


def turn_of(source: str) -> TurnId | None:
    """The turn, or the first of the turns, that a source names."""
    turns = _turns(source)
    return TurnId(turns.conversation, turns.first) if turns is not None else None
