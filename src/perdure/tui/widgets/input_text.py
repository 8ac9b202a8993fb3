"""Text that is safe in a text box: Textual draws what is in one to the terminal as it is."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HALVES = re.compile("[\ud800-\udfff]")


def writable(text: str) -> str:
    """Without control characters, line ends as newlines, halves of characters as U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return whole(_CONTROLS.sub("", text))


def whole(text: str) -> str:
    """Lone surrogates, which no encoding carries, as U+FFFD."""
    return _HALVES.sub("\ufffd", text)
