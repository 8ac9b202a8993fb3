"""The status line: who speaks, on which branch, what runs, and the keys that help here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from perdure.plural import plural
from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise

BackendState = Literal["opening", "loading", "ready", "thinking", "speaking", "offline"]
Hint = tuple[str, str, str]
"""Key as shown, what it does, the action that a click runs."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the line tells. Counts of tokens; 0 where not known yet."""

    companion: str = ""
    branch: str | None = None
    backend: str = ""
    model: str = ""
    """Who speaks, or speaks next."""
    once: bool = False
    """That holds for the next reply only."""
    away: bool = False
    """It did not answer when it was asked last."""
    rehearsal: bool = False
    state: BackendState = "opening"
    speed: float = 0.0
    waited: int = 0
    """Seconds since the backend was asked, while nothing has come."""
    saved_at: datetime | None = None
    unsaved: bool = False
    unkept: bool = False
    """The last message could not be kept; it is in the message box again."""
    used: int = 0
    window: int = 0
    queued: int = 0
    merge: str = ""
    """What an open merge still needs."""
    backup: str = ""
    """What is on no remote and should be."""
    conflicts: int = 0
    """Places that two devices changed differently, and nobody has settled."""
    remote: str = ""
    """Which sync, backup or drill runs, and what it is at."""
    proof: str = ""
    """Whether a restore is proven, and what is newer than the proof."""
    hints: tuple[Hint, ...] = ()


_LONG = 3
"""Seconds after which the line says how long a model has been thinking."""
_LONGEST = 50
"""Cells of a warning about backups, and of what a sync is at."""
_SPARE = 5
"""Parts of this rank or higher give way to the last two hints, which lead to everything else."""


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    ink: str
    rank: int
    """Parts with the highest rank give way first when the row is narrow."""


class StatusLine(Widget):
    """One row. What does not fit is left out, the least needed first."""

    COMPONENT_CLASSES = {  # noqa: RUF012 - Textual reads it from the class
        f"status--{ink}" for ink in ("name", "plain", "quiet", "good", "busy", "bad", "key")
    }

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._glyphs = glyphs
        self.status = Status()
        """What is shown."""

    def change(self, **changes: object) -> None:
        """Change some of it."""
        status = replace(self.status, **changes)  # type: ignore[arg-type]
        if status != self.status:
            self.status = status
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The row, cut to the width."""
        width = self.size.width
        ground = Style(bgcolor=self.rich_style.bgcolor)
        if y:
            return Strip.blank(width, ground)
        left, hints = self._left(), list(self.status.hints)
        while len(left) > 1 and _cells(left) > width - 2:
            left.remove(max(left, key=lambda part: part.rank))
        while _cells(left) + _hint_cells(hints[-2:]) + 4 > width:
            spare = [part for part in left if part.rank >= _SPARE]
            if not spare:
                break
            left.remove(max(spare, key=lambda part: part.rank))
        while hints and _cells(left) + _hint_cells(hints) + 4 > width:
            hints.pop(0)
        segments = [Segment(" ")]
        for number, part in enumerate(left):
            segments.append(Segment("  " if number else "", self._ink("plain")))
            segments.append(Segment(part.text, self._ink(part.ink)))
        right = []
        for key, words, action in hints:
            meta = Style(meta={"@click": action})
            right.append(Segment(key, self._ink("key") + meta))
            right.append(Segment(f" {words}", self._ink("quiet") + meta))
            right.append(Segment("  "))
        used = sum(segment.cell_length for segment in [*segments, *right])
        strip = Strip([*segments, Segment(" " * max(1, width - used)), *right])
        return strip.adjust_cell_length(width).apply_style(ground)

    def _ink(self, name: str) -> Style:
        style = self.get_component_rich_style(f"status--{name}")
        return Style(color=style.color, bold=style.bold or None)

    def _left(self) -> list[_Part]:
        status, glyphs = self.status, self._glyphs
        parts = []
        if status.companion:
            parts.append(_Part(_line(status.companion), "name", 0))
            branch = status.branch if status.branch is not None else "no branch"
            parts.append(_Part(f"{glyphs.branch} {_line(branch)}", "plain", 2))
        if status.backend:
            words = f"{glyphs.backend} {_line(status.model or status.backend)}"
            if status.once:
                parts.append(_Part(f"{words}, next reply only", "busy", 3))
            else:
                parts.append(_Part(words, "plain", 5))
        if status.rehearsal:
            parts.append(_Part(f"{glyphs.rehearsal} rehearsal", "busy", 3))
        parts.append(self._state())
        if status.merge:
            parts.append(_Part(f"{glyphs.warning} {status.merge}", "busy", 1))
        parts += self._backup()
        if status.queued:
            parts.append(_Part(f"{glyphs.waiting} {status.queued} queued", "busy", 2))
        if status.unkept:
            parts.append(_Part(f"{glyphs.warning} not kept", "bad", 1))
        elif status.unsaved:
            parts.append(_Part(f"{glyphs.waiting} saving", "busy", 2))
        elif status.saved_at is not None:
            parts.append(_Part(f"{glyphs.saved} saved {status.saved_at:%H:%M}", "good", 4))
        if status.window and status.used:
            parts.append(self._fullness())
        return parts

    def _backup(self) -> list[_Part]:
        warning, proof = _line(self.status.backup), _line(self.status.proof)
        glyphs, parts = self._glyphs, list[_Part]()
        if self.status.remote:
            words = self._cut(_line(self.status.remote))
            parts.append(_Part(f"{glyphs.waiting} {words}", "busy", 2))
        if warning:
            parts.append(_Part(f"{glyphs.warning} {self._cut(warning)}", "busy", 3))
        if count := self.status.conflicts:
            words = f"{glyphs.warning} {plural(count, 'conflict')}: /conflicts"
            parts.append(_Part(words, "busy", 3))
        return [*parts, _Part(proof, "quiet", 7)] if proof else parts

    def _cut(self, words: str) -> str:
        if cell_len(words) <= _LONGEST:
            return words
        end = self._glyphs.ellipsis
        return set_cell_size(words, _LONGEST - cell_len(end)).rstrip(" .,;") + end

    def _state(self) -> _Part:
        status, glyphs = self.status, self._glyphs
        waited = f" {status.waited} s" if status.waited >= _LONG else ""
        speed = f" {status.speed:.0f}/s" if status.speed else ""
        sign, words, ink = {
            "opening": (glyphs.waiting, "opening", "busy"),
            "loading": (glyphs.waiting, "loading the model", "busy"),
            "ready": (glyphs.ready, "ready", "good"),
            "thinking": (glyphs.waiting, f"thinking{waited}", "busy"),
            "speaking": (glyphs.ready, f"speaking{speed}", "busy"),
            "offline": (glyphs.offline, "offline", "bad"),
        }[status.state]
        if status.state == "ready" and status.away:
            sign, words, ink = glyphs.offline, "did not answer", "busy"
        return _Part(f"{sign} {words}", ink, 1)

    def _fullness(self) -> _Part:
        status, glyphs = self.status, self._glyphs
        share = min(1.0, status.used / status.window)
        full = max(1, round(share * 6))
        bar = glyphs.filled * full + glyphs.empty * (6 - full)
        return _Part(f"{bar} {share:.0%} context", "bad" if share > 0.9 else "quiet", 6)


def _cells(parts: list[_Part]) -> int:
    return 1 + sum(cell_len(part.text) + 2 for part in parts)


def _hint_cells(hints: list[Hint]) -> int:
    return sum(cell_len(key) + cell_len(words) + 3 for key, words, _ in hints)


def _line(text: str) -> str:
    return " ".join(sanitise(text).split())
