"""What was typed and not sent, kept on disk so that closing the terminal loses nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Draft:
    """One small file beside the repository's other local state; never committed.

    A disk that cannot be written makes drafts forgetful and nothing else: the chat goes on.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._text: str | None = None

    def load(self) -> str:
        """What was left in the message box last time; empty without a draft."""
        if self._path is None:
            return ""
        try:
            data = self._path.read_bytes()
        except OSError:
            return ""
        try:
            self._text = data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self._text = data.decode("utf-8", "replace")
        return self._text

    def save(self, text: str) -> None:
        """Keep this; an empty text drops the draft."""
        if self._path is None or text == self._text:
            return
        self._text = text
        with suppress(OSError):
            if not text:
                self._path.unlink(missing_ok=True)
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(text, "utf-8", "surrogatepass")
            os.replace(fresh, self._path)  # noqa: PTH105 - Path.replace is the same call
