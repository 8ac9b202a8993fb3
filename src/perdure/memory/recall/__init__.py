"""Recall: which of all earlier turns are worth a place in the next prompt.

`RecallIndex` answers from a cache beside the repository, for the tree it is asked about and nothing
else; `passages` cuts what it found to a number of tokens. Nothing here is a truth of its own: the
index follows from the chunks of the tree, and what a prompt took from it is written on the commit.
"""

from __future__ import annotations

from perdure.memory.recall.api import Embedder, Hit, RecallQuery, never
from perdure.memory.recall.index import RecallIndex
from perdure.memory.recall.passages import Line, Passage, passages

__all__ = [
    "Embedder",
    "Hit",
    "Line",
    "Passage",
    "RecallIndex",
    "RecallQuery",
    "never",
    "passages",
]
