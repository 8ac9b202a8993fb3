"""Says what is damaged in words: what an id names here stands for the id."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from perdure.git.errors import HistoryError
from perdure.git.operations.branches import branches

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_PACK = re.compile(r"\bpack-[0-9a-f]{40}\.(?:pack|idx)\b")
_PLACE = re.compile(r" \(stored in [^)]*\)| from \S+/objects\b")
_FILE = re.compile(
    r"\b(?:loose |stored )?object (?:file )?\S*?objects/([0-9a-f]{2})/([0-9a-f]{38})\b"
)
_OBJECT = re.compile(
    r"(?:\bthe )?\b(?:(?:loose |stored |bad )?object |blob |tree |commit )?\b([0-9a-f]{40})\b"
)


def in_words(repo: Repository, text: str) -> str:
    """The text of an error, with what ids name in its place.

    Args:
        repo: the companion here, which knows what they name.
        text: what is wrong in another repository, as the program or git says it.
    """
    text = _PLACE.sub("", _PACK.sub("a pack", text))
    text = _FILE.sub(r"object \1\2", text)
    return _OBJECT.sub(lambda found: _name(repo, found[1]), text)


def _name(repo: Repository, oid: str) -> str:
    with suppress(HistoryError):
        store = repo.parts().store
        kind = store.size(oid)[0] if store.has(oid) else b""
        if kind == b"commit":
            return f"the commit of {repo.commit_info(oid).committed_at:%Y-%m-%d %H:%M}"
        if kind == b"tree":
            return "the list of files in a folder"
        for branch in branches(repo):
            for entry in repo.files("", branch.commit):
                if entry.oid == oid:
                    return entry.path
    return "a part of the history"
