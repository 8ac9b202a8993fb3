"""Character references (``&#xH;``), the only escape in the chunk format.

They are what Markdown itself calls numeric character references, so a forge shows the character
that was meant. ``&#x;`` with no digits stands for empty text where a field may not be empty.
"""

from __future__ import annotations

import re

EMPTY = "&#x;"

_REFERENCE = re.compile(r"&#x([0-9A-Fa-f]{1,6});")

# NUL is refused or replaced by Markdown readers and editors, a lone surrogate has no UTF-8 form,
# and a carriage return inside a line ends that line for Markdown: what follows would stand there
# unquoted. One at the end of a line is half of CRLF and stays.
_IN_TEXT = re.compile(r"&(?=#x[0-9A-Fa-f]{1,6};)|[\0\ud800-\udfff]|\r(?!\n|\Z)")

# What could end a field, begin Markdown or turn the line around. `_` inside a word is plain text.
_IN_FIELD = re.compile(
    r"[\x00-\x1f\x7f-\x9f&\u00b7\\`*\[\]<>#~|$\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    r"\ufffe\uffff\ud800-\udfff]"
    r"|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|^\s|\s\Z"
)


def _reference(found: re.Match[str]) -> str:
    return f"&#x{ord(found[0]):X};"


def escape_text(text: str) -> str:
    """``text`` with forbidden characters written as references; it may span several lines."""
    return _IN_TEXT.sub(_reference, text)


def escape_field(text: str) -> str:
    """``text`` as one field of a message header; never empty."""
    return _IN_FIELD.sub(_reference, text) if text else EMPTY


def unescape(text: str) -> str:
    """Turn references back into characters; one beyond Unicode stays as written."""
    if "&#x" not in text:
        return text
    return _REFERENCE.sub(_character, text)


def unescape_field(text: str) -> str:
    """`unescape` for a header field, where ``&#x;`` alone is empty text."""
    return "" if text == EMPTY else unescape(text)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return chr(code) if code <= 0x10FFFF else found[0]
