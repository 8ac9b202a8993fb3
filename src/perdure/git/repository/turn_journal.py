"""A turn in progress, kept outside git until it is committed (docs/durability.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.git.commit.journal_file import JournalFile, Record, dead_files
from perdure.git.errors import storage_errors

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


class Journal:
    """The journal of one turn, from before its first word until its commit."""

    def __init__(self, file: JournalFile) -> None:
        self.file = file
        self._pieces: list[str] = []

    @classmethod
    def begin(cls, repo: Repository, header: Mapping[str, object]) -> Journal:
        """Start a turn's journal; its header is on disk when this returns.

        Args:
            repo: the companion's repository; its session's file is used again.
            header: whatever the caller needs to go on after a crash, as JSON values.

        Raises:
            StorageFull: no space for it.
            ReadOnly: the repository cannot be written.
        """
        with storage_errors("keeping the message safe"):
            file = repo.writer.journal_file()
            file.begin(header)
        return cls(file)

    def append(self, text: str) -> None:
        """Append a streamed piece.

        A killed process loses none of it, a power cut what came after the last `sync`.
        """
        self._pieces.append(text)
        with storage_errors("keeping the reply safe"):
            self.file.text(text)

    def end(self, text: str, facts: Mapping[str, object]) -> None:
        """Record that the reply is complete, with what its commit needs, as JSON values.

        ``text`` is the whole reply; it is written once more only where it is not what was appended.
        """
        anew = {"text": text} if text != "".join(self._pieces) else {}
        with storage_errors("keeping the reply safe"):
            self.file.end({**facts, **anew})

    def sync(self) -> None:
        """Flush everything appended to disk; call it about once a second."""
        with storage_errors("keeping the reply safe"):
            self.file.sync()

    def finish(self) -> None:
        """Mark the turn as finished; `Repository.commit` does so for the journal it gets."""
        self.file.finish()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A turn whose process died before committing it.

    It can be passed to `Repository.commit` as ``journal``: then a crash in the middle of saving it
    neither loses nor doubles it.

    Attributes:
        header: what `Journal.begin` was given.
        text: what had been appended.
        end: what `Journal.end` was given; None where the reply had not come to its end.
    """

    header: dict[str, Any]
    text: str
    file: JournalFile
    end: dict[str, Any] | None = None

    def discard(self) -> None:
        """Remove it: the turn is saved, or not wanted."""
        self.file.remove()

    finish = discard


def leftover(repo: Repository) -> list[Leftover]:
    """Turns that a crash interrupted, oldest first, without those that were committed.

    Each stays locked against other processes until it is discarded or the repository is closed.
    """
    return list(unsaved(repo, dead_files(repo.state_dir / "journals")))


def unsaved(repo: Repository, files: Iterable[tuple[JournalFile, Record]]) -> Iterator[Leftover]:
    """The turns in some journals that are in no commit; journals without one are removed."""
    for file, record in files:
        is_saved = (
            repo.commits.is_on_branch(intent.branch, intent.commit) for intent in record.intents
        )
        if record.is_done or any(is_saved):
            file.remove()
            continue
        repo.hold_leftover(file)
        yield Leftover(record.header, record.text, file, record.end)
