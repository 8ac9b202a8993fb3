"""Making the vectors of messages that have none yet, the newest first."""

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
_FEW, _MANY = 16, 512
"""Messages in one transaction, of a slow embedder and of a quick one."""


def missing(store: Store, model: str, chunks: Sequence[StoredChunk]) -> int:
    """How many messages of some chunks have no vector yet."""
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

    ``kept`` is told of vectors once they are in the index. ``goes_on`` is called before each text
    of a slow embedder, and each batch of a quick one; what it raises ends the work, and what was
    embedded until then is kept.
    """
    waiting = _waiting(store, repo, rev, chunks, embedder.name)
    while batch := list(islice(waiting, _MANY if embedder.quick else _FEW)):
        made: list[tuple[int, bytes]] = []
        try:
            if embedder.quick:
                goes_on()
                made += zip([row for row, _ in batch], _small(embedder, batch), strict=True)
            else:
                for row, text in batch:
                    goes_on()
                    made += [(row, data) for data in _small(embedder, [(row, text)])]
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


def _small(embedder: Embedder, batch: Sequence[tuple[int, str]]) -> list[bytes]:
    """Vectors with a byte a number: how long one is does not count, only where it points."""
    import numpy as np

    vectors = np.asarray(embedder.embed([text for _, text in batch]), dtype=np.float32)
    most = np.abs(vectors).max(axis=1, keepdims=True)
    small = np.rint(127 * vectors / np.where(most > 0, most, 1)).astype(np.int8)
    return [data.tobytes() for data in small]
