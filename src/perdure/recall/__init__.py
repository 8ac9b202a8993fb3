"""Recall: which earlier turns are worth a place in the next prompt.

RecallIndex: answers questions about one tree from a cache beside the repository; `index.py` is the
file to begin with. The cache follows from the chunks of the tree and may be deleted. Query: what is
being talked about. Hit: one earlier turn that fits it. Store: the index file, word by word.
Sequence: the messages of a tree in the order in which they were said. Score: BM25 over messages and
their neighbours, with meaning beside it where an embedder is there. What a prompt took from recall
is written on its commit.
"""

from __future__ import annotations

from perdure.recall.api import Embedder, Hit, RecallQuery, never
from perdure.recall.index import RecallIndex

__all__ = [
    "Embedder",
    "Hit",
    "RecallIndex",
    "RecallQuery",
    "never",
]
