r"""Regular expressions in keys of lore, which strangers write: searched for by RE2.

Python's own engine tries ways one after the other, and an expression such as ``(a+)+$`` makes it
try for years. RE2 follows all ways at once: its work is at most text times expression. What that
cannot express, looking around and references back, it refuses, as it does expressions above a size.

Written as ``/expression/flags``, as in JavaScript, where cards come from. Flags: ``i`` ignores
case, ``m`` lets ``^`` and ``$`` stand at lines, ``s`` lets ``.`` be a line end; ``u``, ``g``,
``y``, ``v`` and ``d`` change nothing here. ``\w``, ``\d`` and ``\b`` know ASCII only, in RE2 as in
JavaScript; in RE2 ``\s`` does, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

LENGTH_LIMIT = 1000
"""Characters of an expression."""
MEMORY_LIMIT = 64 * 1024
"""Bytes that RE2 may use for an expression. It refuses those of more than some 2700 steps."""
_WRITTEN = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)
_FLAGS = frozenset("imsugyvd")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|.)", re.DOTALL)
_REFUSED = {
    "invalid perl operator": "looking around and other such groups are not offered",
    "invalid escape sequence": "not offered",
    "invalid repetition size": "repeated too often, or counted backwards",
    "pattern too large": "too large once its repetitions are written out",
}
"""Why, for what RE2 says too shortly."""


class BadPattern(ValueError):
    """An expression that is broken, too large, or asks for what is not offered here."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """An expression made ready.

    Attributes:
        steps: its size; a search takes at most that many a character, times a small number.
    """

    steps: int
    _compiled: Any

    def found(self, text: str) -> bool:
        """Whether it is anywhere in ``text``."""
        return self._compiled.search(text.encode("utf-8", "surrogatepass")) is not None


def is_written_as_pattern(key: str) -> bool:
    """Whether a key has the form ``/expression/flags``."""
    return _WRITTEN.fullmatch(key) is not None


@lru_cache(maxsize=1024)
def compile_pattern(source: str, *, ignore_case: bool = True) -> Pattern:
    """Make ``/expression/flags`` ready; ``ignore_case`` also without the flag ``i``.

    Raises:
        BadPattern: RE2 cannot read it or refuses it; says why.
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

    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_LIMIT
    options.never_capture = True
    options.case_sensitive = not (ignore_case or "i" in flags)
    # RE2 has no options for `m` and `s` outside of POSIX syntax.
    inside = "".join(sorted(flags & {"m", "s"}))
    written = (f"(?{inside})" if inside else "") + _ESCAPE.sub(_code_point, text)
    try:
        compiled = re2.compile(written.encode("utf-8", "surrogatepass"), options)
    except re2.error as error:
        says = error.args[0].decode("utf-8", "replace")
        kind, _, place = says.partition(": ")
        why = next((why for start, why in _REFUSED.items() if kind.startswith(start)), None)
        raise BadPattern(says if why is None else f"'{place}': {why}" if place else why) from None
    return Pattern(compiled.programsize, compiled)


def _code_point(escape: re.Match[str]) -> str:
    r"""JavaScript's ``\uHHHH`` and ``\u{H…}`` as RE2 writes it; other escapes as they are."""
    code = escape[1] or escape[2]
    return f"\\x{{{code}}}" if code else escape[0]
