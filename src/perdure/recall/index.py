"""The recall index of one companion, as the other rooms use it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, TypeVar

from perdure.companion.conversation.chunk import CONVERSATIONS
from perdure.git import disk
from perdure.git.errors import Busy
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.recall.api import Embedder, Hit, RecallQuery
from perdure.recall.unread_chunks import UnreadChunks, skipped_notice

if TYPE_CHECKING:
    import sqlite3

    from perdure.recall.embedders.dense import Vectors
    from perdure.recall.search import ScoredTurn
    from perdure.recall.sequence import MessageSequence
    from perdure.recall.store import Store, StoredChunk

T = TypeVar("T")
LOCK_WAIT = 2.0
"""Seconds to wait for another process that is writing."""
_MADE_ANEW = "the recall index was damaged and is made anew from the conversations; no word is lost"


class RecallIndex(AbstractContextManager["RecallIndex"]):
    """Finds earlier turns. Not for two threads at once.

    Attributes:
        notice: what a person should know of the last call, "" for nothing: that a damaged index was
            made anew, or that the newest turns could not be looked through.
        is_partial: whether the last call could not look through all that was said.
    """

    def __init__(
        self, repo: Repository, embedder: Embedder | None, *, needs_file: bool = True
    ) -> None:
        self._repo = repo
        self._embedder = embedder
        self._needs_file = needs_file
        self._store: Store | None = None
        self._messages: MessageSequence | None = None
        self._vectors: Vectors | None = None
        self._arranged: tuple[str, bool] | None = None
        self._unread = UnreadChunks()
        self.notice = ""
        self.is_partial = False

    @classmethod
    def open(cls, repo: Repository, *, embedder: Embedder | None = None) -> RecallIndex:
        """Open the index in a repository's cache. Nothing is read before somebody asks.

        Args:
            repo: the repository.
            embedder: gives texts a meaning in numbers, which then counts as much as their words.
        """
        return cls(repo, embedder)

    @classmethod
    def open_usual(cls, repo: Repository, *, needs_file: bool = True) -> RecallIndex:
        """Open the index as prompts and searches use it, with meaning where that is installed.

        Args:
            repo: the repository.
            needs_file: whether nothing is found where the cache cannot be written; otherwise all
                that was said is read into memory there, by its words.
        """
        from perdure.recall.embedders.e5 import installed

        return cls(repo, installed(), needs_file=needs_file)

    @property
    def by_meaning(self) -> bool:
        """Whether turns are found by meaning too, as far as `embed` has read them."""
        return self._embedder is not None

    def close(self) -> None:
        """Close the file; the next question opens it again."""
        if self._store is not None:
            self._store.close()
            self._store = None
        self._messages = None
        self._vectors = None
        self._arranged = None

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, rev: str, progress: Progress | None = None) -> int:
        """Bring the index up to date with a revision.

        It may be interrupted at any time and continues from what is there.

        Args:
            rev: the revision.
            progress: called with how many chunks were read and how many there are to read.

        Returns:
            How many chunks were read: 0 if it was up to date, or could not be written (`notice`).

        Raises:
            HistoryError: the conversations cannot be read.
        """
        self.notice, self.is_partial = "", False
        return self._try(lambda store: self._update(store, rev, progress), 0)

    def embed(self, rev: str, progress: Progress | None = None) -> int:
        """Embed the messages of a revision, the newest first.

        A question asked before the end is answered with what was read until then. It may be
        interrupted at any time, by what ``progress`` raises too, and goes on from what is there.

        Args:
            rev: the revision.
            progress: called with how many messages were read and how many there are to read.

        Returns:
            How many messages were read.

        Raises:
            HistoryError: the conversations cannot be read.
        """
        self.notice = ""
        return self._try(lambda store: self._embed_all(store, rev, progress), 0)

    def unembedded(self, rev: str) -> tuple[int, int]:
        """How many messages of a revision have no vector yet, and how many have one.

        Raises:
            HistoryError: the conversations cannot be read.
        """
        return self._try(lambda store: self._unembedded(store, rev), (0, 0))

    def find(self, rev: str, query: RecallQuery, *, limit: int = 10) -> list[Hit]:
        """Find the turns of a revision that fit a question best, best first.

        The same tree gives the same answer, whatever else the index holds. What it does not hold
        yet is read first.

        Args:
            rev: the revision; turns of no other are found.
            query: the question.
            limit: how many turns at most.

        Raises:
            HistoryError: the conversations cannot be read.
        """
        self.notice, self.is_partial = "", False
        nothing: list[Hit] = []
        return self._try(lambda store: self._find(store, rev, query, limit), nothing)

    def marks(self, text: str, matched: tuple[str, ...]) -> list[tuple[int, int]]:
        """Where the words of a hit are in a text: begin and end of each.

        Args:
            text: the text of a message.
            matched: words as `Hit.matched` has them.
        """
        from perdure.recall.search import languages_of, marks
        from perdure.recall.sequence import MessageSequence

        nothing: list[tuple[int, int]] = []
        languages = languages_of(self._messages or MessageSequence())
        return self._try(lambda store: marks(store, text, matched, languages), nothing)

    # The file

    def _try(self, work: Callable[[Store], T], otherwise: T) -> T:
        """Do something with the file; rebuild it once if it is damaged."""
        import sqlite3

        for attempt in range(2):
            try:
                return work(self._opened())
            except sqlite3.Error as error:
                if attempt or not self._drop_if_damaged(error):
                    self._cannot(f"earlier turns could not be looked through: {error}")
                    return otherwise
            except Busy:
                self._cannot("another process is making the recall index just now")
                return otherwise
            except OSError as error:
                self._cannot(f"earlier turns could not be looked through: {error.strerror}")
                return otherwise
        return otherwise

    def _cannot(self, why: str) -> None:
        self.notice, self.is_partial = why, True

    def _opened(self) -> Store:
        import sqlite3

        from perdure.recall.store import Store

        path = self._store.path if self._store is not None else None
        if path is not None and not path.exists():
            self.close()  # somebody removed it: what it holds may have been meant to go
        if self._store is None:
            try:
                self._store = self._open_file()
            except (OSError, sqlite3.OperationalError) as error:
                if self._needs_file or not _is_refused(error):
                    raise
                self._store = Store.in_memory()
                self.notice = "no index can be written here; all that was said is read for this"
        return self._store

    def _open_file(self) -> Store:
        from perdure.recall.store import Store, newest

        if newest(self._repo.cache_dir) is not None:
            return Store.open(self._repo.cache_dir)
        with self._taken():
            return Store.open(self._repo.cache_dir)

    def _taken(self) -> AbstractContextManager[object]:
        """The writer's lock, taken. Raises Busy."""
        lock = disk.KernelLock(self._repo.cache_dir / "recall-writing.lock")
        lock.take(wait=LOCK_WAIT)
        return lock

    def _drop_if_damaged(self, error: sqlite3.Error) -> bool:
        import sqlite3

        from perdure.git import cache_file
        from perdure.recall.store import INDEX_FILES

        self.close()
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_NOMEM,
            sqlite3.SQLITE_INTERRUPT,
        }:
            return False
        with suppress(Busy, OSError):
            cache_file.drop(self._repo.cache_dir, INDEX_FILES)
            self.notice = _MADE_ANEW
        return True

    # Bringing it level

    def _update(self, store: Store, rev: str, progress: Progress | None) -> int:
        tree = self._repo.folder_oid(CONVERSATIONS, rev)
        if tree is None or store.tree(tree) is not None:
            return 0
        from perdure.recall.sync import sync_tree

        try:
            held = nullcontext() if store.path is None else self._taken()
        except Busy:
            self._cannot("another process is reading the conversations for recall just now")
            return 0
        with held:
            read, passed = sync_tree(store, self._repo, rev, tree, progress)
        if passed:
            self.notice = skipped_notice(passed)
        return read

    # Answering

    def _find(self, store: Store, rev: str, query: RecallQuery, limit: int) -> list[Hit]:
        from perdure.recall.search import Finder

        messages = self._sequence(store, rev)
        if not len(messages):
            return []
        found: list[ScoredTurn] = Finder(store, messages, query, self._vectors).best(limit)
        return [Hit(each.turn, each.score, each.path, each.matched) for each in found]

    def _sequence(self, store: Store, rev: str) -> MessageSequence:
        """The messages of a revision, as far as the index has them."""
        from perdure.recall.sequence import MessageSequence

        if self._messages is None:
            self._messages = MessageSequence()
        tree = self._repo.folder_oid(CONVERSATIONS, rev)
        if tree is None:
            return MessageSequence()
        if self._arranged == (tree, True):
            self.notice = self.notice or self._unread.notice
            return self._messages
        self._update(store, rev, None)
        ids = store.tree(tree)
        whole = ids is not None
        if ids is None:
            ids = self._as_far_as_known(store, rev)
        same = self._messages.same_as(ids)
        chunks = store.chunks(ids[same:])
        self._unread.follow(self._repo, rev, ids[:same], chunks)
        self.notice = self.notice or self._unread.notice
        first = self._messages.arrange(ids, chunks)
        if self._embedder is not None:
            self._have_vectors(store, self._embedder, self._messages, first)
        self._arranged = (tree, whole)
        return self._messages

    def _have_vectors(
        self, store: Store, embedder: Embedder, messages: MessageSequence, first: int
    ) -> None:
        """Load the existing vectors."""
        from perdure.recall.embedders.dense import Vectors

        if store.path is None:
            return
        if self._vectors is None:
            self._vectors = Vectors(embedder)
            first = 0
        self._vectors.arrange(store, messages, first)

    def _take_in(self, vectors: Sequence[tuple[int, bytes]]) -> None:
        if self._vectors is not None and self._messages is not None:
            self._vectors.add(self._messages, vectors)

    def _embed_all(self, store: Store, rev: str, progress: Progress | None) -> int:
        """Embed what has no vector yet, unless another process does."""
        from perdure.recall.embedders.embed import embed_missing, missing

        chunks, embedder = self._chunks_at(store, rev), self._embedder
        if embedder is None:
            return 0
        # Not the writer's lock: words are read meanwhile, and this may take an hour.
        lock = disk.KernelLock(self._repo.cache_dir / "recall-embedding.lock")
        total = missing(store, embedder.name, chunks)
        done = 0

        def goes_on() -> None:
            nonlocal done
            if progress is not None:
                progress(done, total)
            done += 1

        if total:
            if lock.try_take():
                with lock:
                    embed_missing(store, self._repo, rev, chunks, embedder, self._take_in, goes_on)
            if progress is not None:
                progress(total, total)
        return total - missing(store, embedder.name, chunks)

    def _unembedded(self, store: Store, rev: str) -> tuple[int, int]:
        from perdure.recall.embedders.embed import missing

        chunks, embedder = self._chunks_at(store, rev), self._embedder
        if embedder is None:
            return 0, 0
        lacking = missing(store, embedder.name, chunks)
        return lacking, sum(len(chunk.message_rows()) for chunk in chunks) - lacking

    def _chunks_at(self, store: Store, rev: str) -> list[StoredChunk]:
        """The chunks of a revision in the order of the conversations."""
        tree = self._repo.folder_oid(CONVERSATIONS, rev)
        if tree is None:
            return []
        self._update(store, rev, None)
        ids = store.tree(tree) or self._as_far_as_known(store, rev)
        chunks = store.chunks(ids)
        return [chunks[number] for number in ids if number in chunks]

    def _as_far_as_known(self, store: Store, rev: str) -> array[int]:
        from perdure.recall.sync import chunks_of

        known = store.known()
        return array("I", [known[file] for file in chunks_of(self._repo, rev) if file in known])


def _is_refused(error: OSError | sqlite3.OperationalError) -> bool:
    """Whether there can be no file at all, as on a read-only disk."""
    import sqlite3

    if isinstance(error, OSError):
        return True
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
