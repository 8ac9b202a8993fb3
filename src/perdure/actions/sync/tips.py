"""Merge what two devices did to a companion, without asking: a function of the two tips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from perdure.actions.history.merge import RESOLVER
from perdure.git.merge.tips import TipMerge, merged_tips
from perdure.git.repository.repository import Repository


@contextmanager
def merge_tips(repo: Repository, one: str, other: str) -> Iterator[TipMerge]:
    """Merge two commits of a companion, whatever is checked out; no branch moves.

    Whoever merges the same two makes the same commit (`perdure.git.merge.tips`). Within the
    ``with`` statement git leaves it alone; after it a branch must be at it.

    Raises:
        NoCommonCommit: they have no past in common here.
        HistoryError: one of them cannot be read, or the commit cannot be written.
    """
    with merged_tips(repo, one, other, resolver=RESOLVER) as merged:
        yield merged
