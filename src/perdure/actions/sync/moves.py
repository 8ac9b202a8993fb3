"""What moved a branch from elsewhere: a sync, a ``git pull``, a merge of what was fetched.

The branch's reflog tells. A commit that was made here is no such move, nor is a merge of a branch
of one's own. Light, since every session asks.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from perdure.git import disk
from perdure.git.objects.commit import OID
from perdure.git.refs.reflog import LoggedMove, read_reflog
from perdure.git.refs.refs import HEADS
from perdure.git.repository.repository import Repository

_MERGE = re.compile(r"merge ([^:]+): ")
_RESET = re.compile(r"reset: moving to (\S+)")
_ONTO = re.compile(r"rebase.*\(finish\): .* onto ([0-9a-f]{40})")
_SYNCED = ("perdure: sync: ", "perdure: pull: ", "pull", "fetch")
_MANY_MOVES = 200
"""Moves behind what was told last, after which it is noted how far that is."""


def untold_moves(repo: Repository, branch: str) -> list[LoggedMove]:
    """Moves that brought something from elsewhere since this was asked last; each is given once.

    None for a branch that is looked at for the first time.
    """
    ref = f"{HEADS}{branch}"
    tip = repo.parts().refs.read(ref)
    mark = repo.state_dir / f"arrived-{hashlib.sha256(ref.encode()).hexdigest()[:16]}"
    told = _told(mark)
    if tip is None or tip == told:
        return []
    log = read_reflog(repo.parts().layout.git_dir, ref) if told is not None else []
    seen = max((n for n, move in enumerate(log) if move.new == told), default=None)
    later = log[seen + 1 :] if seen is not None else []
    moves = [move for move in later if _is_from_elsewhere(repo, move)]
    if seen is not None and not moves and len(later) < _MANY_MOVES:
        return []
    if not _tell(mark, tip):
        return []
    return moves


def _told(mark: Path) -> str | None:
    """The tip up to which arrivals were told; None where none were yet."""
    try:
        text = disk.read_file(mark, most=100).decode("ascii", "replace").strip()
    except (OSError, disk.TooLong):
        return None
    return text if OID.fullmatch(text) else None


def _tell(mark: Path, tip: str) -> bool:
    """Note up to where it is told; False where nothing can be kept, and so nothing is said."""
    try:
        disk.replace_file(mark, f"{tip}\n".encode(), synced=False)
    except OSError:
        return False
    return True


def _is_from_elsewhere(repo: Repository, move: LoggedMove) -> bool:
    if move.old is None:
        return False
    if move.says.startswith(_SYNCED):
        return True
    if found := _MERGE.match(move.says) or _RESET.match(move.says):
        name = found[1]
        return name == "FETCH_HEAD" or name in _fetched(repo).values() or name in _fetched(repo)
    onto = rebased_onto(move)
    return onto is not None and onto in _fetched(repo).values()


def rebased_onto(move: LoggedMove) -> str | None:
    """The commit that a rebase put a branch on; None for any other move."""
    found = _ONTO.search(move.says)
    return found[1] if found else None


def _fetched(repo: Repository) -> dict[str, str]:
    """The branches of remotes as they were fetched last, and the commits that they name."""
    refs, start = repo.parts().refs, "refs/remotes/"
    found = {name: refs.read(name) for name in refs.names(start)}
    return {name.removeprefix(start): commit for name, commit in found.items() if commit}
