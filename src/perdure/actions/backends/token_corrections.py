"""How far a token counter was off, learned from what backends report and kept in the cache.

One entry for each backend, model and counter. The cache may be deleted at any time: the first
reports teach it anew. What a past prompt was made from is on its commit; nothing there is decided
again by what is learned later.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from perdure.backends.protocol import BackendSpec, Tokenizer
from perdure.backends.tokens.estimate import (
    CachingTokenizer,
    Correction,
    counts_texts,
    with_correction,
)
from perdure.git.disk import make_folder, replace_file

CORRECTIONS_FILE = "token-corrections.json"
_SIZE_LIMIT = 1 << 20
_MOST = 500
"""Entries kept; those that were learned longest ago go first."""


class Corrections:
    """What was learned so far. Not for two threads at once without a lock."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` is the repository's cache; without one, nothing outlives the session."""
        self._path = folder / CORRECTIONS_FILE if folder is not None else None
        self._guard = threading.Lock()
        self._known: dict[str, Correction] | None = None
        self._caching: dict[str, CachingTokenizer] = {}

    def applied(self, spec: BackendSpec, tokenizer: Tokenizer) -> Tokenizer:
        """The counter, corrected where it is not exact and there is something to correct it by."""
        if tokenizer.exact:
            return tokenizer
        with self._guard:
            found = self._all().get(_key(spec, tokenizer))
        return with_correction(tokenizer, found) if found is not None else tokenizer

    def remembering(self, spec: BackendSpec, tokenizer: Tokenizer) -> Tokenizer:
        """A counter that remembers its counts: a session asks for most texts again.

        One that looks its counts up elsewhere is handed back as it is.
        """
        if not counts_texts(tokenizer):
            return tokenizer
        with self._guard:
            return self._caching.setdefault(_key(spec, tokenizer), CachingTokenizer(tokenizer))

    def learn(self, spec: BackendSpec, tokenizer: Tokenizer, counted: int, reported: int) -> None:
        """Learn from what a backend reported for a prompt that ``tokenizer`` counted. Never raises.

        Exact counters have nothing to learn. What cannot be written is learned for this session.
        """
        if tokenizer.exact or counted <= 0 or reported <= 0:
            return
        with self._guard:
            known, key = self._all(), _key(spec, tokenizer)
            known[key] = known.pop(key, Correction()).learn(counted, reported)
            for old in list(known)[:-_MOST]:
                del known[old]
            self._write(known)

    def _all(self) -> dict[str, Correction]:
        if self._known is None:
            self._known = _read(self._path) if self._path is not None else {}
        return self._known

    def _write(self, known: Mapping[str, Correction]) -> None:
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            make_folder(self._path.parent)
            replace_file(self._path, msgspec.json.encode(known), synced=False)


def _key(spec: BackendSpec, tokenizer: Tokenizer) -> str:
    return "\n".join((spec.name, spec.model, tokenizer.name))


def _read(path: Path) -> dict[str, Correction]:
    """Read the file; nothing where it is missing or damaged, or makes no sense."""
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            return {}
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Correction])
    except (OSError, ValueError, msgspec.MsgspecError):
        return {}
