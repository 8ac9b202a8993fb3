"""Keys as providers hand them out, recognised by their shape, in whole texts and in streams.

Prefixes are the ones that the providers document. A bare run of letters has no shape to know it by:
for those there are the keys that this process itself has loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

_LETTER = "[A-Za-z0-9_-]"
_SHAPES: tuple[tuple[tuple[str, ...], str, int], ...] = (
    (("sk-or-v1-",), "[A-Za-z0-9]", 16),  # OpenRouter
    (("sk-", "pk-", "rk-"), _LETTER, 16),  # OpenAI and those who follow it; Anthropic's sk-ant-
    (("sk_live_", "sk_test_", "rk_live_", "rk_test_"), "[A-Za-z0-9]", 16),  # Stripe
    (("AIza",), _LETTER, 30),  # Google
    # Hugging Face, Groq, xAI, Perplexity, Replicate
    (tuple(f"{who}{c}" for who in ("hf", "gsk", "xai", "pplx", "r8") for c in "_-"),
     "[A-Za-z0-9]", 20),
    (tuple(f"gh{kind}_" for kind in "pousr"), "[A-Za-z0-9]", 30),  # GitHub
    (("github_pat_",), "[A-Za-z0-9_]", 30),
    (("glpat-",), _LETTER, 16),  # GitLab
    (("AKIA", "ASIA"), "[A-Z0-9]", 16),  # AWS
    (tuple(f"xox{kind}-" for kind in "abeprs"), "[A-Za-z0-9-]", 10),  # Slack
    (("npm_",), "[A-Za-z0-9]", 30),
    (("pypi-",), _LETTER, 30),
    (("AGE-SECRET-KEY-1",), "[0-9A-Z]", 50),
)  # fmt: skip
"""Prefixes, the characters that follow, and how many of them make it a key."""

# A JSON web token: base64url of `{"`, a dot, and the beginning of what it claims. The bounds keep
# short what a stream holds back.
_TOKEN_HEAD = 1024
_TOKEN = rf"eyJ{_LETTER}{{20,{_TOKEN_HEAD}}}\.{_LETTER}{{10}}"

_ALONE = rf"(?<!{_LETTER})"
_REST = rf"{_LETTER}*(?:\.{_LETTER}+)*"
"""What goes on without a gap behind a key's beginning belongs to it."""
_BEGINNING = "|".join(
    [
        *(
            rf"(?:{'|'.join(map(re.escape, prefixes))}){letter}{{{count}}}"
            for prefixes, letter, count in _SHAPES
        ),
        _TOKEN,
    ]
)
_SECRET = rf"{_ALONE}(?:{_BEGINNING}){_REST}"
_SHORTEST_KNOWN = 8
MASK = "[key removed]"


def _unfinished_prefix(prefix: str, then: str) -> str:
    """A pattern for every proper beginning of ``prefix`` + ``then``, one letter at the least."""
    pattern = then
    for character in reversed(prefix[1:]):
        pattern = f"(?:{re.escape(character)}{pattern})?"
    return re.escape(prefix[0]) + pattern


@cache
def _unfinished() -> re.Pattern[str]:
    """The end of a text that may become a key with what follows. Compiled for streams only."""
    shapes = [
        _unfinished_prefix(prefix, f"{letter}{{0,{count - 1}}}")
        for prefixes, letter, count in _SHAPES
        for prefix in prefixes
    ]
    head = f"(?:{_LETTER}{{0,{_TOKEN_HEAD}}}|{_LETTER}{{20,{_TOKEN_HEAD}}}\\.{_LETTER}{{0,9}})"
    shapes.append(_unfinished_prefix("eyJ", head))
    return re.compile(rf"{_ALONE}(?:{'|'.join(shapes)})\Z")


@cache
def _finder(known: tuple[str, ...]) -> re.Pattern[str]:
    exact = "|".join(map(re.escape, known)) or "(?!)"
    return re.compile(rf"(?P<known>{exact})|{_SECRET}")


_GOES_ON = re.compile(_REST)


def looks_secret(text: str) -> bool:
    """Whether a key stands in ``text``, going by its shape."""
    return _finder(()).search(text) is not None


def mask_secrets(text: str, known: Collection[str] = ()) -> tuple[str, int]:
    """Put `MASK` in the place of keys, and of the very strings in ``known``.

    Returns the text and how many were masked.
    """
    masker = SecretMasker(known)
    return masker.whole(text), masker.count


class SecretMasker:
    """Masks keys in a text that comes in pieces; the result does not depend on the pieces.

    Only what may become a key is held back: nothing of ordinary talk but now and then a word's
    first letters, and never more than a key's beginning is long (1038 characters for a web token,
    66 for other keys, or the longest known one).
    """

    def __init__(self, known: Collection[str] = ()) -> None:
        usable = {secret for secret in known if len(secret) >= _SHORTEST_KNOWN}
        # The longest first: where one key is the beginning of another, the whole one goes.
        self._known = tuple(sorted(usable, key=lambda secret: (-len(secret), secret)))
        self._finder = _finder(self._known)
        self._before = ""
        self._held = ""
        self._inside = False
        self.count = 0
        """Keys that were masked so far."""

    def feed(self, piece: str) -> str:
        """Take the next piece; gives back what can be shown by now."""
        return self._drain(piece, last=False)

    def end(self) -> str:
        """What was still held back. The masker may be fed again, as for a new text."""
        return self.whole("")

    def whole(self, text: str) -> str:
        """Take a text to its end at once."""
        masked = self._drain(text, last=True)
        self._before, self._held, self._inside = "", "", False
        return masked

    def _drain(self, piece: str, *, last: bool) -> str:
        # The character before is there for the patterns to look back at.
        text = self._before + self._held + piece
        at, shown = len(self._before), []
        while True:
            if self._inside:
                at = self._behind_key(text, at)
                if self._inside and not last:
                    break
                self._inside = False
            found = self._finder.search(text, at)
            open_at, by_known = (len(text), False) if last else self._unfinished_from(text, at)
            if found is None or found.start() > open_at or (found.start() == open_at and by_known):
                shown.append(text[at:open_at])
                at = open_at
                break
            shown += [text[at : found.start()], MASK]
            self.count += 1
            at = found.end()
            self._inside = found["known"] is None
            if not self._inside:
                # What stands right behind a known key stands alone.
                text, at = text[at:], 0
        self._before, self._held = text[max(0, at - 1) : at], text[at:]
        return "".join(shown)

    def _behind_key(self, text: str, at: int) -> int:
        """Where a key ends that began before ``at``; still inside where that cannot be known."""
        goes_on = _GOES_ON.match(text, at)
        end = goes_on.end() if goes_on is not None else at
        self._inside = text[end:] in ("", ".")
        return end

    def _unfinished_from(self, text: str, at: int) -> tuple[int, bool]:
        """Where that begins which may become a key, and whether it may become a known one."""
        shaped = _unfinished().search(text, at)
        by_shape = shaped.start() if shaped is not None else len(text)
        by_known = min(
            (
                len(text) - size
                for secret in self._known
                for size in range(1, min(len(secret), len(text) - at + 1))
                if text.endswith(secret[:size])
            ),
            default=len(text),
        )
        return min(by_shape, by_known), by_known <= by_shape and by_known < len(text)
