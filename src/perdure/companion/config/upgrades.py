"""The format version of a companion, and how other versions are handled.

An upgrade is one module here, named by the version that it upgrades from, holding a pure function
from the files of a tree to the files of a tree, so that old commits can be read through it too.
Format 1 is the first: there is nothing to upgrade from.
"""

from __future__ import annotations

import re

from perdure.companion.errors import BadFile, NewerFormat

SETTINGS = "companion.yaml"
"""The file that makes a folder a companion, and names the version of its format."""
FORMAT = 1
_LINE = re.compile(rb"^format:[ \t]*([0-9]{1,9})[ \t\r]*(?:#.*)?$", re.MULTILINE)


def refuse_newer(settings: bytes) -> None:
    """Raise NewerFormat if ``companion.yaml`` names a newer format; nothing else is checked.

    A look at one line, without the YAML library, before anything is changed.
    """
    said = _LINE.search(settings)
    if said is not None and int(said[1]) > FORMAT:
        raise NewerFormat(
            SETTINGS, settings.count(b"\n", 0, said.start()) + 1, int(said[1]), FORMAT
        )


def check_format(found: int, line: int) -> None:
    """Raise NewerFormat for a newer format, BadFile for one that never existed."""
    if found > FORMAT:
        raise NewerFormat(SETTINGS, line, found, FORMAT)
    if found < 1:
        raise BadFile(SETTINGS, line, f"format {found} does not exist")
