from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from perdure.git.repository.repository import Repository
from perdure.recall import RecallIndex
from perdure.recall.api import Embedder


@pytest.fixture(autouse=True)
def _recall_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each recall index that a test opens is closed with the test."""
    with ExitStack() as stack:

        def opened(repo: Repository, *, embedder: Embedder | None = None) -> RecallIndex:
            return stack.enter_context(RecallIndex(repo, embedder))

        monkeypatch.setattr(RecallIndex, "open", opened)
        yield
