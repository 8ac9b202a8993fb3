"""Open files in the user's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from perdure.errors import Problem

_KNOWN = ("sensible-editor", "nano", "vim", "vi")
"""Looked for if neither VISUAL nor EDITOR is set."""


class NoEditor(Problem):
    """No editor was found, or it ended with an error."""


def editor_command(environ: Mapping[str, str] | None = None) -> list[str]:
    """The command that starts the editor, without the file. Raises NoEditor."""
    environment = os.environ if environ is None else environ
    named = environment.get("VISUAL") or environment.get("EDITOR")
    if named:
        return shlex.split(named)
    found = next(filter(shutil.which, _KNOWN), None)
    if found is None:
        raise NoEditor(
            "no editor was found", "nothing was changed", "set one in the variable EDITOR"
        )
    return [found]


def edit_file(file: Path) -> None:
    """Open a file in the editor and wait; until then the editor has the terminal.

    Raises:
        NoEditor: there is none, or it could not be run, or it ended on an error.
    """
    words = editor_command()
    try:
        code = subprocess.run([*words, str(file)], check=False).returncode
    except OSError as error:
        raise NoEditor(
            f"{words[0]} cannot be run", "nothing was changed", "check the variable EDITOR"
        ) from error
    if code:
        raise NoEditor(f"{words[0]} ended with code {code}", "the file is as the editor left it")
