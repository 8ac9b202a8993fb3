"""Reads every chunk of a commit, and counts its turns; a greeting is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from perdure.companion.conversation.chunk import (
    ALTERNATIVES,
    CHUNK_FILE_LIMIT,
    CONVERSATIONS,
    parse_chunk_path,
    parse_chunks,
)
from perdure.companion.errors import FileTrouble
from perdure.git.objects.tree import FOLDER

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_EVERY = 256


class CountsTurns(Protocol):
    """Whatever can count the turns of a commit."""

    def turns(self, repo: Repository, commit: str) -> int:
        """Turns that the conversations of a commit have. Raises HistoryError."""
        ...


class ChunkCensus:
    """Counts turns by commit; what several commits share is read once.

    Attributes:
        read: chunk files that were read.
        troubles: what is wrong in them, by blob id: the first trouble of each.
    """

    def __init__(self, progress: Callable[[str], None] = lambda _: None) -> None:
        self.read = 0
        self.troubles: dict[str, FileTrouble] = {}
        self._progress = progress
        self._known: dict[tuple[str, str], int] = {}

    def turns(self, repo: Repository, commit: str) -> int:
        """Turns that the conversations of a commit have; its alternatives are read too.

        Raises:
            HistoryError: a chunk cannot be read.
        """
        for folder in (ALTERNATIVES, CONVERSATIONS):
            root = repo.folder_oid(folder, commit)
            count = self._below(repo, root, folder) if root is not None else 0
        return count

    def _below(self, repo: Repository, tree: str, folder: str) -> int:
        known = self._known.get((tree, folder))
        if known is not None:
            return known
        count = 0
        for name, (mode, oid) in repo.parts().trees.entries(tree).items():
            path = f"{folder}/{name}"
            if mode == FOLDER:
                count += self._below(repo, oid, path)
            elif mode & 0o170000 == 0o100000 and parse_chunk_path(path) is not None:
                count += self.chunk(repo, path, oid)
        self._known[tree, folder] = count
        return count

    def chunk(self, repo: Repository, path: str, oid: str) -> int:
        """Turns in one chunk. Raises HistoryError."""
        known = self._known.get((oid, path))
        if known is not None:
            return known
        count = 0
        if repo.size(oid) > CHUNK_FILE_LIMIT:
            self.troubles[oid] = FileTrouble(path, 0, "larger than any chunk")
        else:
            for chunk in parse_chunks(repo.blob(oid), path):
                count += sum(turn.number > 0 for turn in chunk.turns)
                for trouble in chunk.troubles[:1]:
                    self.troubles.setdefault(oid, FileTrouble(path, trouble.line, trouble.what))
        self._known[oid, path] = count
        self.read += 1
        if self.read % _EVERY == 0:
            self._progress(f"reading every conversation: {self.read:,} files")
        return count
