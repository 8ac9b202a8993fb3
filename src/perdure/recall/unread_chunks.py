"""Report chunks that are too large to be read, so that the index has none of their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import CHUNK_FILE_LIMIT
from perdure.git.repository.repository import Repository

if TYPE_CHECKING:
    from perdure.recall.store import StoredChunk


def skipped_notice(paths: Sequence[str]) -> str:
    """The notice that chunks are too large to be read."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"not looked through, being larger than {CHUNK_FILE_LIMIT >> 20} MiB: {paths[0]}{more}"


class UnreadChunks:
    """The chunks of which the index has no message.

    Attributes:
        notice: what a person should know about them; "" for nothing.
    """

    def __init__(self) -> None:
        self.notice = ""
        self._paths: dict[int, str] = {}

    def follow(
        self, repo: Repository, rev: str, same: Sequence[int], new: Mapping[int, StoredChunk]
    ) -> None:
        """Follow the sequence of messages: chunks that are the ``same`` stay, ``new`` ones follow.

        Raises:
            HistoryError: a chunk cannot be found.
        """
        fresh = {number: chunk.path for number, chunk in new.items() if not len(chunk.rows)}
        if not self._paths and not fresh:
            return
        kept = set(same)
        self._paths = {n: path for n, path in self._paths.items() if n in kept} | fresh
        large = [
            path
            for path in sorted(self._paths.values())
            if (oid := repo.oid(path, rev)) is not None and repo.size(oid) > CHUNK_FILE_LIMIT
        ]
        self.notice = skipped_notice(large) if large else ""
