"""A ref's reflog, read: where it has been, and what moved it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from perdure.git import disk, links
from perdure.git.errors import LinkInside

_LINE = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) [^\t]*(?:\t(.*))?")
_NOTHING = "0" * 40


@dataclass(frozen=True, slots=True)
class LoggedMove:
    """One line of a reflog. ``old`` is None where the ref was made."""

    old: str | None
    new: str
    says: str


def read_reflog(git_dir: Path, ref: str, most: int = 256 * 1024) -> list[LoggedMove]:
    """The moves of a ref, oldest first, from the last ``most`` bytes; empty without a reflog."""
    path = git_dir / "logs" / ref
    try:
        links.check_way(git_dir, path)
        data = disk.tail(path, most)
    except (OSError, LinkInside):
        return []
    found = (_LINE.fullmatch(line) for line in data.split(b"\n"))
    return [
        LoggedMove(
            None if line[1].decode() == _NOTHING else line[1].decode(),
            line[2].decode(),
            (line[3] or b"").decode("utf-8", "replace"),
        )
        for line in found
        if line is not None
    ]
