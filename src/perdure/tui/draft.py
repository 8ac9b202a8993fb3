"""What was typed and not sent, kept on disk in case the terminal is closed."""

from __future__ import annotations

import os
from pathlib import Path


class Draft:
    """One small file beside the repository's other local state; never committed.

    A disk that cannot be written makes drafts forgetful and nothing else: the chat goes on.
    """

    def __init__(self, path: Path | None, companion: Path | None = None) -> None:
        """``companion``: its folder; where that is gone, nothing is written in its place."""
        self._path = path
        self._companion = companion
        self._text: str | None = None
        self.unsaved = ""
        """What could not be written."""

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
        """Keep this; an empty text drops the draft. What cannot be written is tried again later."""
        if self._path is None:
            self.unsaved = text
            return
        if text == self._text:
            return
        if self._companion is not None and not is_there(self._companion):
            self.unsaved = text
            return
        try:
            if text:
                # Not its parents: the folder of a companion that is gone is not made again.
                self._path.parent.mkdir(exist_ok=True)
                fresh = self._path.with_suffix(".new")
                fresh.write_text(text, "utf-8", "surrogatepass")
                os.replace(fresh, self._path)  # noqa: PTH105 - Path.replace is the same call
            else:
                self._path.unlink(missing_ok=True)
        except OSError:
            self.unsaved = text
        else:
            self._text, self.unsaved = text, ""


def is_there(companion: Path) -> bool:
    """Whether a companion's folder is still there, with a repository in it."""
    git = companion / ".git"
    return git.is_file() or (git / "HEAD").is_file()
