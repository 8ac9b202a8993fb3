r"""Search for the regular expressions in lore keys, which strangers may write, in bounded time.

Written as ``/expression/flags``, as in JavaScript, where cards come from. Flags: ``i`` ignores
case, ``m`` lets ``^`` and ``$`` stand at lines, ``s`` lets ``.`` be a line end; ``u``, ``g``,
``y``, ``v`` and ``d`` change nothing here. The rest is RE2's syntax, see `lore_syntax`.

Python's own engine tries ways one after the other, and an expression such as ``(a+)+$`` makes it
try for years. RE2 follows all ways at once: its work is at most text times expression. Where it is
not installed, `regex` searches for the very same expression, and gives up when its time is over.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from perdure.companion.memory.lore_syntax import BadPattern, Expression, read_expression

__all__ = ["BadPattern", "SearchTimeout", "compile_pattern", "is_written_as_pattern"]

LENGTH_LIMIT = 1000
"""Characters of an expression."""
MEMORY_LIMIT = 512 * 1024
"""Bytes that RE2 may use for an expression: more than any takes that `lore_syntax` lets through."""
_WRITTEN = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)
_FLAGS = frozenset("imsugyvd")


class SearchTimeout(Exception):
    """A search took longer than allowed."""


Search = Callable[[str, float], bool]
"""Whether a text has the expression; takes the text, and how many seconds of the processor."""


@dataclass(slots=True)
class Pattern:
    """A searchable expression; an engine compiles it at the first search."""

    expression: Expression
    _search: Search | None = None

    @property
    def steps(self) -> int:
        """Its size; a search takes at most that many steps a character, times a small factor."""
        return self.expression.steps

    def found(self, text: str, seconds: float) -> bool:
        """Whether it occurs anywhere in ``text``.

        Raises:
            SearchTimeout: the processor cannot tell in ``seconds``. With RE2 it always can.
        """
        if self._search is None:
            self._search = _engine()(self.expression)
        return self._search(text, seconds)


def is_written_as_pattern(key: str) -> bool:
    """Whether a key is written as ``/expression/flags``."""
    return _WRITTEN.fullmatch(key) is not None


@lru_cache(maxsize=1024)
def compile_pattern(source: str, *, ignore_case: bool = True) -> Pattern:
    """Read ``/expression/flags``; ``ignore_case`` applies even without the flag ``i``.

    Raises:
        BadPattern: it cannot be read, or asks for what is not offered; says why.
    """
    found = _WRITTEN.fullmatch(source)
    if not found:
        raise BadPattern("not of the form /expression/flags")
    text, flags = found[1], set(found[2])
    unknown = flags - _FLAGS
    if unknown:
        raise BadPattern(f"unknown flag '{min(unknown)}'")
    if len(text) > LENGTH_LIMIT:
        raise BadPattern(f"longer than {LENGTH_LIMIT} characters")
    if ignore_case:
        flags.add("i")
    return Pattern(read_expression(text, flags="".join(flags & {"i", "m", "s"})))


@lru_cache(maxsize=1)
def _engine() -> Callable[[Expression], Search]:
    return regex_search if importlib.util.find_spec("re2") is None else re2_search


def re2_search(expression: Expression) -> Search:
    """Search with RE2: linear time for any expression."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_LIMIT
    options.never_capture = True
    compiled = re2.compile(expression.text.encode("utf-8", "surrogatepass"), options)

    def search(text: str, seconds: float) -> bool:  # noqa: ARG001 - it takes no long
        return compiled.search(text.encode("utf-8", "surrogatepass")) is not None

    return search


def regex_search(expression: Expression) -> Search:
    """Search with `regex`, which backtracks until its time limit."""
    import regex

    # ASCII is for `\b` alone: classes are spelled out.
    compiled = regex.compile(expression.text, regex.VERSION0 | regex.ASCII, cache_pattern=False)

    def search(text: str, seconds: float) -> bool:
        if seconds <= 0:
            raise SearchTimeout
        try:
            return compiled.search(text, timeout=seconds) is not None
        except TimeoutError as error:
            raise SearchTimeout from error

    return search
