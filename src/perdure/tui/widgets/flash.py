"""Notices above the message box, one row each as a rule, that go by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.text import Text
from textual.widgets import Static

from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise

Level = Literal["info", "success", "warning", "error"]
_RANK: dict[Level, int] = {"info": 0, "success": 1, "warning": 2, "error": 3}
_GRAVE = _RANK["warning"]
_MOST = 3


@dataclass(slots=True, eq=False)
class _Notice:
    line: str
    level: Level
    stays: bool
    is_fresh: bool = True
    """Told so short a time ago that it was hardly read."""
    times: int = 1

    @property
    def rank(self) -> int:
        return _RANK[self.level]

    def is_like(self, later: _Notice) -> bool:
        """Whether a later notice says the same."""
        return (self.line, self.level, self.stays) == (later.line, later.level, later.stays)

    def outlives(self, later: _Notice) -> bool:
        """Whether it is still shown once a later notice comes."""
        if later.line.startswith(self.line):
            return False
        if self.rank == later.rank:
            return self.is_fresh and self.rank >= _GRAVE
        return self.rank > later.rank and (self.is_fresh or (self.stays and not later.rank))


class Flash(Static):
    """Shows what was said last, below what is graver and was not read yet.

    A notice goes after some seconds; a failure stays until the next one that is no less grave, or
    that comes once it was read.
    """

    SECONDS = 6.0

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__("", id=widget_id, markup=False)
        self._glyphs = glyphs
        self._notices: list[_Notice] = []
        self.display = False

    def show(self, text: str, level: Level = "info", *, stays: bool = False) -> None:
        """Show a notice. ``stays``: until another one takes its place, whatever time it takes."""
        notice = _Notice(" ".join(sanitise(text).split()), level, stays or level == "error")
        again = next((each for each in self._notices if each.is_like(notice)), None)
        if again is not None:
            # What fails whenever something is drawn comes again and again: draw nothing for that.
            again.times += 1
            again.is_fresh = True
            self._age(again)
            return
        kept = [each for each in self._notices if each.outlives(notice)]
        self._notices = sorted([*kept, notice], key=lambda each: -each.rank)[:_MOST]
        self._show()
        self._age(notice)

    def clear_notice(self) -> None:
        """Take all notices away."""
        self._notices.clear()
        self._show()

    def clear_read(self) -> None:
        """Take away what was there long enough to be read."""
        self._notices = [each for each in self._notices if each.is_fresh]
        self._show()

    def _age(self, notice: _Notice) -> None:
        times = notice.times
        self.set_timer(self.SECONDS, lambda: self._aged(notice) if notice.times == times else None)

    def _aged(self, notice: _Notice) -> None:
        notice.is_fresh = False
        if not notice.stays and notice in self._notices:
            self._notices.remove(notice)
            self._show()

    def _show(self) -> None:
        signs = {"info": self._glyphs.separator, "success": self._glyphs.saved}
        if self._notices:
            grave = self._glyphs.warning
            lines = (f"{signs.get(each.level, grave)} {each.line}" for each in self._notices)
            self.update(Text("\n".join(lines)))
            self.set_classes(f"-{self._notices[0].level}")
        self.display = bool(self._notices)
