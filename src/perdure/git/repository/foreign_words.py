"""Turns and drafts in state from elsewhere (`perdure.git.state.mark`), read only as text.

A session that died in a folder that was copied since, or in a backup that was restored, has left
what was being said in its journal. Whose folder it is does not matter for that: nothing of it
follows but that the words are offered, and that the file goes when they are kept.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from perdure.git import disk
from perdure.git.commit.journal_file import dead_files
from perdure.git.repository.repository import Repository
from perdure.git.repository.turn_journal import Leftover, unsaved
from perdure.git.state import mark

_JOURNALS = 64
_LARGEST = 64 * 1024 * 1024
_DRAFT = "draft.txt"
_DRAFT_LIMIT = 1024 * 1024


def words(repo: Repository) -> list[Leftover]:
    """Unsaved turns in journals from elsewhere, as `leftover` has our own.

    What of them is too large, or in use by another process, stays where it is.
    """
    files = (
        found
        for place in mark.set_aside(repo.parts().layout)
        for found in dead_files(place / "journals", largest=_LARGEST)
    )
    # The rest is for the next opening.
    return list(islice(unsaved(repo, files), _JOURNALS))


def take_draft(repo: Repository) -> bool:
    """Take over a draft from elsewhere if there is none here. True if it did.

    Characters that steer a terminal are left out of it.
    """
    own = repo.state_dir / _DRAFT
    for place in reversed(mark.set_aside(repo.parts().layout)):
        text = _draft(place / _DRAFT)
        if not text.strip() or own.exists():
            continue
        try:
            disk.replace_file(own, text.encode(), synced=True)
            (place / _DRAFT).rename(place / f"{_DRAFT}.taken")
        except OSError:
            return False
        return True
    return False


def _draft(path: Path) -> str:
    try:
        text = disk.read_file(path, most=_DRAFT_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(c for c in text if c.isprintable() or c in "\n\t\u200d")
