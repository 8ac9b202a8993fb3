"""The embedder where `e5_model` cannot run: WordLlama (MIT), static vectors inside its package.

It takes a tenth of a millisecond a message, and helps English only.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def installed() -> WordLlamaEmbedder | None:
    """The embedder, where the extra is installed. Imports nothing that costs time."""
    there = all(importlib.util.find_spec(name) is not None for name in ("wordllama", "numpy"))
    return WordLlamaEmbedder() if there else None


class WordLlamaEmbedder:
    """Loads its model at the first text."""

    name = "wordllama-l2-supercat-256"
    dimension = 256
    quick = True
    share = 0.4
    least = 0.3

    def __init__(self) -> None:
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """One vector of length 1 for each text; all zeros for one without words."""
        if self._model is None:
            self._model = _load()
        # Its tokenizer refuses lone surrogates.
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        found: list[Sequence[float]] = list(self._model.embed(clean, norm=True))
        return found

    def ask(self, text: str) -> Sequence[float]:
        """The vector of a question: as of any text."""
        return self.embed([text])[0]


def _load() -> Any:  # noqa: ANN401 - it ships no types
    import wordllama

    # WordLlama 0.4.0 looks for its tokenizer below the folder that the package lies in, or in a
    # cache, and would ask the network next. The copy can go once that path is right upstream.
    package = Path(wordllama.__file__).parent
    with tempfile.TemporaryDirectory(prefix="perdure-") as folder:
        tokenizers = Path(folder) / "tokenizers"
        tokenizers.mkdir()
        for path in package.glob("tokenizers/*.json"):
            shutil.copy(path, tokenizers)
        return wordllama.WordLlama.load(cache_dir=Path(folder), disable_download=True)
