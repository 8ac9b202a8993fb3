"""Keeps the timeline's index up to date between sessions.

An index of 50,000 turns takes half a minute of work when there is none, and a moment when it is
nearly level; so the process that packs in the background brings it along, and whoever opens a long
life without one has that process started.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.errors import HistoryError
from perdure.git.layout import Layout
from perdure.git.packs import background
from perdure.git.refs.refs import HEADS
from perdure.git.timeline.query import VERSION

if TYPE_CHECKING:
    from perdure.git.timeline.timeline import Timeline

LONG = 12_000
"""Objects in packs from which on a life is long: about 2,000 turns, a second or two of work."""
_PAUSE = 0.05
"""Seconds between two steps: longer than whoever waits for the index sleeps between two looks."""


def start_if_missing(git_dir: Path) -> bool:
    """Start building the index in the background if a long history has none.

    Nothing is raised: an index that is missing is made when it is needed.

    Args:
        git_dir: the common git folder.

    Returns:
        Whether a process was started.
    """
    if any(_cache(git_dir).glob(f"timeline-{VERSION}-*.sqlite")) or not _is_long(git_dir):
        return False
    return background.start(git_dir)


def bring_level(git_dir: Path) -> bool:
    """Bring the index up to date with every branch; one process at a time does it.

    It may be killed at any time: every step is one transaction.

    Args:
        git_dir: the common git folder.

    Returns:
        Whether the index knows every branch now.
    """
    from perdure.git.refs.refs import Refs
    from perdure.git.repository.repository import Repository

    lock = timeline_lock(git_dir)
    try:
        if not lock.try_take():
            return False
        with lock:
            place = Layout(git_dir.parent, git_dir, git_dir)
            timeline = Repository(place).timeline()
            tips = dict.fromkeys(Refs(place).names(HEADS).values())
            # All of them first: a branch that cannot be read keeps no other back.
            known = [_can_know(timeline, tip) for tip in tips]
            return all(known)
    except (OSError, HistoryError):
        return False


def _can_know(timeline: Timeline, tip: str) -> bool:
    try:
        return timeline.update_in_steps(tip, _rest)
    except HistoryError:
        return False


def timeline_lock(git_dir: Path) -> disk.KernelLock:
    """The lock that whoever keeps the index level in the background holds."""
    return disk.KernelLock(_cache(git_dir) / "keeping.lock")


def _rest() -> None:
    time.sleep(_PAUSE)


def _cache(git_dir: Path) -> Path:
    return git_dir / "perdure" / "cache"


def _is_long(git_dir: Path) -> bool:
    """By the sizes of pack indexes: 28 bytes an object."""
    size = 0
    with contextlib.suppress(OSError), os.scandir(git_dir / "objects" / "pack") as entries:
        for entry in entries:
            if entry.name.endswith(".idx"):
                size += entry.stat().st_size - 1072
    return size >= 28 * LONG
