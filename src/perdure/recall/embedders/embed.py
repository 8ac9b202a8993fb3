"""Embed the messages that have no vector yet, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import parse_chunks
from perdure.recall.api import LONGEST

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.recall.api import Embedder
    from perdure.recall.store import Store, StoredChunk

Kept = Callable[[Sequence[tuple[int, bytes]]], None]
GoesOn = Callable[[], None]
_TOGETHER = 16
"""Messages in one transaction."""


def missing(store: Store, model: str, chunks: Sequence[StoredChunk]) -> int:
    """Count the messages of some chunks that have no vector yet."""
    return sum(len(set(chunk.message_rows()) - _have(store, model, chunk)) for chunk in chunks)


def _have(store: Store, model: str, chunk: StoredChunk) -> set[int]:
    return {row for row, _ in store.vectors(model, chunk.message_rows())}


def embed_missing(
    store: Store,
    repo: Repository,
    rev: str,
    chunks: Sequence[StoredChunk],
    embedder: Embedder,
    kept: Kept,
    goes_on: GoesOn,
) -> None:
    """Embed the messages of some chunks that have no vector yet.

    ``kept`` is called with vectors once they are in the index. ``goes_on`` is called before each
    text; what it raises ends the work, and what was embedded until then is kept.
    """
    waiting = _waiting(store, repo, rev, chunks, embedder.name)
    while batch := list(islice(waiting, _TOGETHER)):
        made: list[tuple[int, bytes]] = []
        try:
            for row, text in batch:
                goes_on()
                made.append((row, _small(embedder, text)))
        finally:
            if made:
                with store.writing():
                    store.keep_vectors(embedder.name, made)
                kept(made)


def _waiting(
    store: Store, repo: Repository, rev: str, chunks: Sequence[StoredChunk], model: str
) -> Iterator[tuple[int, str]]:
    for chunk in reversed(chunks):
        rows = chunk.message_rows()
        have = _have(store, model, chunk)
        if len(have) == len(set(rows)):
            continue
        data = repo.read(chunk.path, rev) or b""
        texts = [
            message.text[:LONGEST]
            for each in parse_chunks(data, chunk.path)
            for turn in each.turns
            for message in (turn.message, *turn.replies)
            if message is not None
        ]
        wanted = dict(zip(rows, texts, strict=False))
        yield from ((row, text) for row, text in reversed(wanted.items()) if row not in have)


def _small(embedder: Embedder, text: str) -> bytes:
    """Store a vector with one byte a number: only its direction counts, not its length."""
    import numpy as np

    vector = np.asarray(embedder.embed(text), dtype=np.float32)
    data: bytes = np.rint(127 * vector / (np.abs(vector).max() or 1)).astype(np.int8).tobytes()
    return data
