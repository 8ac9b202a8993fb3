"""Which embedder the ``[dense]`` extra brought."""

from __future__ import annotations

from perdure.memory.recall import e5_model, wordllama_model
from perdure.memory.recall.api import Embedder


def installed() -> Embedder | None:
    """The better one of those that run here; None without the extra. Imports nothing slow."""
    return e5_model.installed() or wordllama_model.installed()
