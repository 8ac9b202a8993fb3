"""Recall: which of all earlier turns are worth a place in the next prompt.

`RecallIndex` answers from a cache beside the repository, for the tree it is asked about and nothing
else. Nothing here is a truth of its own: the index follows from the chunks of the tree, and what a
prompt took from it is written on the commit.
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
