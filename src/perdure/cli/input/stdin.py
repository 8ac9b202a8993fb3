"""What comes in on standard input, as bytes first: those that are no text spoil nothing else.

Python's own reader decodes several lines at once, and throws all of them away for one bad byte.
"""

from __future__ import annotations

import io
import sys

from perdure.problem import Problem


class NotText(Problem):
    """Standard input holds bytes that are no text in the encoding of this terminal."""

    def __init__(self, error: UnicodeDecodeError) -> None:
        super().__init__(
            f"what came in is not {error.encoding.upper()} text: byte {error.start + 1} is not",
            "Nothing of it was sent or saved",
            "Convert it first, such as with: iconv -t UTF-8",
        )


def read_text() -> str:
    """All of standard input. Raises NotText."""
    return _decoded(sys.stdin.buffer.read())


def read_line() -> str | None:
    """The next line without its end; None where there is none left. Raises NotText."""
    line = sys.stdin.buffer.readline()
    return _decoded(line).rstrip("\n") if line else None


def _decoded(data: bytes) -> str:
    try:
        return io.TextIOWrapper(io.BytesIO(data), sys.stdin.encoding, sys.stdin.errors).read()
    except UnicodeDecodeError as error:
        raise NotText(error) from error
