"""git's patterns for names (`wildmatch.c`), matched in bounded time.

A pattern becomes a row of states, one bit each: bit i is set while the first i pieces of it have
matched what was read so far. Reading a byte moves all of them at once, so a match takes one step a
byte however many stars there are; git and ``re`` try again from each star, for ever where a
stranger wrote them. Bytes are matched, as in git: ``?`` is one byte of a letter of several.
"""

from __future__ import annotations

from collections.abc import Callable

_SLASH = 0x2F
_ALL = (1 << 256) - 1
"""The set of all bytes: bit b is byte b."""
_NOT_SLASH = _ALL & ~(1 << _SLASH)
_SPECIAL = b"*?[\\"
_CLASSES: dict[bytes, Callable[[int], bool]] = {
    b"alnum": lambda c: chr(c).isalnum(),
    b"alpha": lambda c: chr(c).isalpha(),
    b"blank": lambda c: c in b" \t",
    b"cntrl": lambda c: c < 32 or c == 127,
    b"digit": lambda c: chr(c).isdigit(),
    b"graph": lambda c: 32 < c < 127,
    b"lower": lambda c: chr(c).islower(),
    b"print": lambda c: 32 <= c < 127,
    b"punct": lambda c: 32 < c < 127 and not chr(c).isalnum(),
    b"space": lambda c: c in b" \t\n\r",
    b"upper": lambda c: chr(c).isupper(),
    b"xdigit": lambda c: c in b"0123456789abcdefABCDEF",
}


class _NeverMatches(Exception):
    """A class without an end, an unknown ``[:name:]``, a backslash before nothing."""


def plain_length(pattern: bytes) -> int:
    """How many bytes stand before the first one that is special."""
    return next((i for i, c in enumerate(pattern) if c in _SPECIAL), len(pattern))


class Pattern:
    """One pattern over paths: ``*`` and ``?`` stop at a slash, ``**`` between slashes does not."""

    def __init__(self, pattern: bytes, *, folded: bool = False) -> None:
        """Take it apart; ``folded``: ASCII letters are alike in either case."""
        self._folded = folded
        self._sets: list[int] = []
        """Per piece the bytes that it takes."""
        self._stays: dict[int, int] = {}
        """Per state that begins with a star the bytes that it passes over."""
        self._skips = 0
        """States before a ``**/``, which may also match nothing."""
        self._is_dead = False
        try:
            self._parse(pattern.lower() if folded else pattern)
        except _NeverMatches:
            self._is_dead = True
        self._steps: dict[int, tuple[int, int]] = {}

    def _parse(self, pattern: bytes) -> None:
        at = 0
        while at < len(pattern):
            byte = pattern[at]
            if byte == 0x2A:
                at = self._star(pattern, at)
                continue
            if byte == 0x3F:
                self._sets.append(_NOT_SLASH)
            elif byte == 0x5B:
                taken, at = _class(pattern, at + 1, folded=self._folded)
                self._sets.append(taken)
            elif byte == 0x5C:
                at += 1
                if at == len(pattern):
                    raise _NeverMatches
                self._sets.append(1 << pattern[at])
            else:
                self._sets.append(1 << byte)
            at += 1

    def _star(self, pattern: bytes, at: int) -> int:
        """Take in the stars at a place; returns where they end."""
        end = at
        while pattern[end : end + 1] == b"*":
            end += 1
        is_bound = at == 0 or pattern[at - 1] == _SLASH
        follows = pattern[end : end + 2]
        is_wide = end - at > 1 and is_bound and (follows[:1] in {b"", b"/"} or follows == b"\\/")
        here = len(self._sets)
        if is_wide and follows[:1] == b"/":
            # `**/**/` says no more than `**/`.
            while pattern.startswith(b"/**/", end):
                end += 3
            self._skips |= 1 << here
            self._sets += [0, 1 << _SLASH]
            self._stays[here + 1] = _ALL
            return end + 1
        self._stays[here] = _ALL if is_wide else _NOT_SLASH
        return end

    def _step(self, byte: int) -> tuple[int, int]:
        """For one byte: the states that move on, and those that stay."""
        known = self._steps.get(byte)
        if known is None:
            bit = 1 << byte
            move = sum(1 << i for i, taken in enumerate(self._sets) if taken & bit)
            stay = sum(1 << i for i, taken in self._stays.items() if taken & bit)
            known = self._steps[byte] = (move, stay)
        return known

    def matches(self, text: bytes) -> bool:
        """Whether the whole text is matched."""
        if self._is_dead:
            return False
        states = self._arrived(1)
        for byte in text.lower() if self._folded else text:
            move, stay = self._step(byte)
            states = self._arrived((states & move) << 1) | (states & stay)
            if not states:
                return False
        return bool(states >> len(self._sets) & 1)

    def _arrived(self, states: int) -> int:
        before = states & self._skips
        return states | before << 1 | before << 2 if before else states


def _class(pattern: bytes, at: int, *, folded: bool) -> tuple[int, int]:
    """A class in brackets, from behind the first: the bytes that it takes, where it ends.

    As in git: a slash is never taken, ``]`` at the start is a member, ranges may be escaped.
    """
    end = len(pattern)
    negated = pattern[at : at + 1] in {b"!", b"^"}
    at += negated
    taken, before, first = 0, -1, True
    while True:
        if at >= end:
            raise _NeverMatches
        byte = pattern[at]
        if byte == 0x5D and not first:
            break
        first = False
        if byte == 0x2D and before >= 0 and at + 1 < end and pattern[at + 1] != 0x5D:
            at += 1
            at, last = _member(pattern, at)
            taken |= sum(1 << c for c in range(before, last + 1))
            before = -1
        elif pattern.startswith(b"[:", at):
            close = pattern.find(b"]", at + 2)
            if close < 0:
                raise _NeverMatches
            if close > at + 2 and pattern[close - 1] == 0x3A:
                is_in = _CLASSES.get(pattern[at + 2 : close - 1])
                if is_in is None:
                    raise _NeverMatches
                taken |= sum(1 << c for c in range(128) if is_in(c))
                at, before = close, -1
            else:
                taken |= 1 << 0x5B
                before = 0x5B
        else:
            at, before = _member(pattern, at)
            taken |= 1 << before
        at += 1
    if folded:
        taken |= sum(1 << c for c in range(97, 123) if taken >> (c - 32) & 1)
    return (_ALL & ~taken if negated else taken) & _NOT_SLASH, at


def _member(pattern: bytes, at: int) -> tuple[int, int]:
    """Where a byte of a class stands, its backslash passed over, and the byte."""
    if pattern[at] == 0x5C:
        at += 1
        if at == len(pattern):
            raise _NeverMatches
    return at, pattern[at]
