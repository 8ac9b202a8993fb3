"""Recognise and mask keys and passwords by their shape, in whole texts and in streams.

A bare run of letters has no shape to know it by: for those there are the keys that this process
itself has loaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache, cached_property
from typing import NamedTuple

from perdure.companion.secret_shapes import LETTER, SHAPES, Shape

_SHORTEST_KNOWN = 8
_SLICE = 1 << 14
_LONGEST = 1100
"""Characters of a key's beginning, its frame included, at most: a web token's are 1038."""
MASK = "[key removed]"


class _Heads:
    """The literals that keys start with, and the shapes behind each."""

    def __init__(self) -> None:
        self.exact: dict[str, list[Shape]] = {}
        self.folded: dict[str, list[Shape]] = {}
        for shape in SHAPES:
            heads = self.folded if shape.place != "word" else self.exact
            for head in shape.heads:
                key = head if shape.place == "word" else head.casefold()
                heads.setdefault(key, []).append(shape)
        self.sizes: dict[str, list[int]] = {}
        for head in (*self.exact, *self.folded):
            sizes = self.sizes.setdefault(head[0].casefold(), [])
            if len(head) not in sizes:
                sizes.append(len(head))
        self.longest = max(map(max, self.sizes.values()))
        names = {head for shape in SHAPES if shape.place == "name" for head in shape.heads}
        # Zero characters wide, so that heads are found that overlap.
        self.finder = re.compile(
            rf"(?:(?<!{LETTER})|(?<=\\[nrt])|(?<=_)(?<!{LETTER}_))(?={_any_of(self.exact)})"
            rf"|(?:(?<![^\W\d_])|(?<=[a-z])(?=[A-Z]))(?={_any_of(names)})"
            rf"|(?={_any_of(self.folded.keys() - names)})"
        )

    @cached_property
    def begun(self) -> frozenset[str]:
        """Every prefix of a head, case-folded."""
        whole = (*map(str.casefold, self.exact), *self.folded)
        return frozenset(head[:size] for head in whole for size in range(1, len(head)))

    def at(self, text: str, place: int) -> Iterator[tuple[Shape, int]]:
        """The shapes that may start here, in order, and where each head ends."""
        found = []
        for size in self.sizes.get(text[place].casefold(), ()):
            piece = text[place : place + size]
            if len(piece) == size:
                shapes = (*self.exact.get(piece, ()), *self.folded.get(piece.casefold(), ()))
                found += [
                    (shape, place + size) for shape in shapes if _may_stand(shape, text, place)
                ]
        found.sort(key=lambda each: _ORDER[each[0]])
        yield from found


_ORDER = {shape: number for number, shape in enumerate(SHAPES)}


def _any_of(heads: Iterable[str]) -> str:
    """An expression for several literals, grouped by first letter."""
    by_first: dict[str, list[str]] = {}
    for head in sorted(heads, key=len):
        by_first.setdefault(head[0], []).append(re.escape(head[1:]))
    rows = []
    for first, rest in by_first.items():
        both = {first, first.upper()} if len(first.upper()) == 1 else {first}
        letters = re.escape(first) if len(both) == 1 else f"[{''.join(sorted(both))}]"
        rows.append(f"{letters}(?i:{'|'.join(rest)})")
    return f"(?:{'|'.join(rows)})"


def _may_stand(shape: Shape, text: str, place: int) -> bool:
    before = text[place - 1 : place] if place else ""
    if not before or not shape.place:
        return True
    if shape.place == "word":
        return (
            _LETTER.match(before) is None
            or _MARK_BEFORE.search(text[max(0, place - _BEFORE) : place]) is not None
        )
    # A name begins a word, or goes on in one as in "dbPassword".
    return not before.isalpha() or (before.islower() and text[place].isupper())


_LETTER = re.compile(LETTER)
_ESCAPED = re.compile(r"\\[nrt]\Z")
"""A line's end as JSON and programs write it."""
_MARK_BEFORE = re.compile(rf"\\[nrt]\Z|(?<!{LETTER})_\Z")
"""That, or the mark with which Markdown slants a text."""
_BEFORE = 2
"""Characters before a place that tell what may stand there."""


@cache
def _heads() -> _Heads:
    return _Heads()


@cache
def _known_finder(known: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, known)) or "(?!)")


class _Found(NamedTuple):
    """Where a key's frame starts, where the key starts and ends, and its shape."""

    start: int
    key: int
    end: int
    shape: Shape | None


class Secret(NamedTuple):
    """A key in a text.

    Attributes:
        kind: what people call it: "key", "password", "private key".
        head: the letters that each of its kind begins with, as "sk-"; "" for none.
        start: where it begins.
        end: where it ends.
    """

    kind: str
    head: str
    start: int
    end: int


def find_secrets(text: str, known: Collection[str] = ()) -> Iterator[Secret]:
    """Find the keys in a whole text, in order: by their shape, and the exact strings in ``known``.

    Quick where a text holds none, so that a whole history can be searched.
    """
    if not (_hints().in_text(text) or any(secret in text for secret in known)):
        return
    masker = SecretMasker(known)
    at = 0
    while (found := masker.find(text, at)) is not None:
        kind, head, end = "key", "", found.end
        if found.shape is not None:
            rest = found.shape.goes_on.match(text, end)
            end = rest.end() if rest is not None else end
            kind = found.shape.kind
            if not found.shape.keeps_head:
                begins = (each for each in found.shape.heads if text.startswith(each, found.key))
                head = next(begins, "")
        yield Secret(kind, head, found.key, end)
        at = max(end, found.start + 1)


class _Hints:
    """What no text with a key in it is without, found ten times as quickly as a key itself.

    Either a run of characters as long as the shortest key with a head of its own, or the head of
    another kind, in any case.
    """

    def __init__(self) -> None:
        bare = [shape for shape in SHAPES if shape.place == "word" and not shape.keeps_head]
        self.run = min(shape.shortest for shape in bare)
        heads = {head.casefold() for shape in SHAPES if shape not in bare for head in shape.heads}
        # One that holds another is not there without it.
        self.heads = [
            head
            for head in sorted(heads)
            if not any(other in head for other in heads if other != head)
        ]

    def in_text(self, text: str) -> bool:
        """Whether there may be a key."""
        runs = text.encode("ascii", "replace").translate(_RUNS).split()
        if runs and max(map(len, runs)) >= self.run:
            return True
        folded = text.casefold()
        return any(head in folded for head in self.heads)


_IN_RUNS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.:/+=@%~"
_RUNS = bytes(each if each in _IN_RUNS else 32 for each in range(256))


@cache
def _hints() -> _Hints:
    return _Hints()


def search_version() -> str:
    """A digest of all shapes: it changes when more, or other, texts are taken for keys."""
    return hashlib.sha256("\n".join(map(repr, SHAPES)).encode()).hexdigest()[:16]


def looks_secret(text: str) -> bool:
    """Whether ``text`` contains something shaped like a key."""
    return _shaped(text, 0) is not None


def _shaped(text: str, at: int) -> _Found | None:
    """The first key after a position, by its shape."""
    heads = _heads()
    for place in heads.finder.finditer(text, at):
        for shape, end in heads.at(text, place.start()):
            found = shape.tail.match(text, end)
            if found is not None and (shape.counts is None or shape.counts(found["key"])):
                key = found.start("key") if shape.keeps_head else place.start()
                return _Found(place.start(), key, found.end("key"), shape)
    return None


def _open_from(text: str, at: int) -> int:
    """Where something starts that may still become a key; the end if nothing may."""
    heads = _heads()
    by_head = next(
        (
            found.start()
            for found in heads.finder.finditer(text, max(at, len(text) - _LONGEST))
            for shape, end in heads.at(text, found.start())
            if shape.unfinished.fullmatch(text, end)
        ),
        len(text),
    )
    for size in range(min(heads.longest, len(text) - at), len(text) - by_head, -1):
        place = len(text) - size
        if text[place:].casefold() in heads.begun and _is_gap(text, place):
            return place
    return by_head


def _is_gap(text: str, place: int) -> bool:
    """Whether a head of any kind may start at a position."""
    before = text[place - 1 : place] if place else ""
    # A name may stand behind a digit; what may stand anywhere begins with no Latin letter.
    inside = (before + text[place]).isascii() and before.isalpha() and text[place].isalpha()
    if not inside or (before.islower() and text[place].isupper()):
        return True
    return _ESCAPED.search(text[max(0, place - _BEFORE) : place]) is not None


def mask_secrets(text: str, known: Collection[str] = ()) -> tuple[str, int]:
    """Replace keys, and the exact strings in ``known``, by `MASK`.

    Returns the text and how many were masked.
    """
    masker = SecretMasker(known)
    return masker.whole(text), masker.count


class SecretMasker:
    """Masks keys in streamed text; how the text is cut does not change the result.

    Only what may become a key is held back: nothing of ordinary conversation but now and then a
    word's first letters, or what stands behind a word such as "password"; and never more than a
    key's beginning is long (1038 characters for a web token, 450 for other keys, or the longest
    known one).
    """

    def __init__(self, known: Collection[str] = ()) -> None:
        usable = {secret for secret in known if len(secret) >= _SHORTEST_KNOWN}
        # The longest first: where one key is the beginning of another, the whole one goes.
        self._known = tuple(sorted(usable, key=lambda secret: (-len(secret), secret)))
        self._finder = _known_finder(self._known)
        self._most = max(_LONGEST, *map(len, ("", *self._known)))
        self._before = ""
        self._held = ""
        self._inside: Shape | None = None
        self.count = 0
        """Keys that were masked so far."""

    def feed(self, piece: str) -> str:
        """Take the next part; returns the text that is safe to show."""
        return self._drain(piece, last=False)

    def end(self) -> str:
        """Return the text still held back. The masker can then be used again."""
        return self.whole("")

    def whole(self, text: str) -> str:
        """Mask a whole text at once."""
        # In slices: behind each key the rest is copied.
        shown = [
            self._drain(text[start : start + _SLICE], last=False)
            for start in range(0, len(text), _SLICE)
        ]
        masked = "".join(shown) + self._drain("", last=True)
        self._before, self._held, self._inside = "", "", None
        return masked

    def _drain(self, piece: str, *, last: bool) -> str:
        # The characters before are there for the shapes to look back at.
        text = self._before + self._held + piece
        at, shown = len(self._before), []
        while True:
            if self._inside is not None:
                at = self._behind_key(self._inside, text, at)
                if self._inside is not None and not last:
                    break
                self._inside = None
                # What stands right behind a key stands alone.
                text, at = text[at:], 0
            found = self.find(text, at)
            is_near = found is None or len(text) - found.start <= self._most
            open_at = self._unfinished_from(text, at) if is_near and not last else len(text)
            if found is None or (found.start >= open_at and not last):
                shown.append(text[at:open_at])
                at = open_at
                break
            # A frame may hold a key of another kind: "https://sk-…:password@".
            frame = mask_secrets(text[found.start : found.key])[0]
            shown += [text[at : found.start], frame, MASK]
            self.count += 1
            text, at, self._inside = text[found.end :], 0, found.shape
        self._before, self._held = text[max(0, at - _BEFORE) : at], text[at:]
        return "".join(shown)

    def find(self, text: str, at: int) -> _Found | None:
        """The first key after a position."""
        known = self._finder.search(text, at)
        shaped = _shaped(text, at)
        if known is not None and (shaped is None or known.start() <= shaped.start):
            return _Found(known.start(), known.start(), known.end(), None)
        return shaped

    def _behind_key(self, shape: Shape, text: str, at: int) -> int:
        """Where a key that starts before ``at`` ends; still inside if that is not known yet."""
        goes_on = shape.goes_on.match(text, at)
        end = goes_on.end() if goes_on is not None else at
        is_closed = goes_on is not None and goes_on.groupdict().get("closed") is not None
        if is_closed or not shape.open.fullmatch(text, end):
            self._inside = None
        return end

    def _unfinished_from(self, text: str, at: int) -> int:
        """Where something starts that may still become a key, by shape or as a known one."""
        by_known = min(
            (
                len(text) - size
                for secret in self._known
                for size in range(1, min(len(secret), len(text) - at + 1))
                if text.endswith(secret[:size])
            ),
            default=len(text),
        )
        return min(_open_from(text, at), by_known)
