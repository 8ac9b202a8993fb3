"""Which embedder the ``[dense]`` extra brought."""

from __future__ import annotations

from perdure.recall.api import Embedder
from perdure.recall.embedders import e5, wordllama


def installed() -> Embedder | None:
    """The better one of those that run here; None without the extra. Imports nothing slow."""
    return e5.installed() or wordllama.installed()
