r"""Parse RE2's expression syntax, and rewrite it so that every engine reads the same meaning.

What is looked for is only whether an expression is anywhere in a text. So groups capture nothing,
and whether a repetition takes as much or as little as it can makes no difference. Classes are
spelled out (`lore_classes`), flags are resolved, and what is left is common to RE2 and `regex`.

Sources: RE2's ``doc/syntax.txt`` and ``parse.cc`` (``Regexp::Parse``, ``ParsePerlFlags``,
``ParseCharClass``, ``ParseEscape``). JavaScript's ``\uHHHH`` and ``\u{H…}`` are read besides. Of
what RE2 takes, refused is what other engines cannot be given: ``\C``, one byte; ``\B`` where a
match may be empty, since RE2 finds it between the bytes of a character, too; groups in groups
above `GROUP_DEPTH_LIMIT`; and a repetition after flags alone, as in ``a(?i)*``.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field, replace
from functools import lru_cache

from perdure.companion.memory import lore_classes as classes
from perdure.companion.memory.lore_classes import Ranges

REPEAT_LIMIT = 1000
"""Most repetitions, also of repetitions in one another: RE2's own limit."""
STEPS_LIMIT = 4000
"""Steps of an expression."""
GROUP_DEPTH_LIMIT = 30
"""Groups in groups: `regex` reads each level by calls of Python's functions."""
_SEARCH_STEPS = 4
"""Steps of a search for whatever expression."""
_FLAGS = "imsU"
_OCTAL, _HEX = frozenset(string.octdigits), frozenset(string.hexdigits)
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_PUNCTUATION = frozenset(string.punctuation)


class BadPattern(ValueError):
    """An expression that is broken, too large, or uses something we do not offer."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that every engine reads the same way.

    Attributes:
        text: it, with neither captures nor flags.
        steps: its size; a search takes at most so many a character, times a small number.
    """

    text: str
    steps: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece of an expression.

    Attributes:
        text: how it is written.
        steps: its size.
        repeated: how often its innermost part is repeated by counts.
        takes_none: it may match no character at all.
        takes_some: it may match a character.
        inside: it asks for no boundary of a word.
    """

    text: str
    steps: int = 1
    repeated: int = 1
    takes_none: bool = False
    takes_some: bool = True
    inside: bool = False


@dataclass(slots=True)
class _Group:
    """A group being read: the flags outside it, and what was read so far."""

    outside: frozenset[str]
    branches: list[_Piece] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)


def read_expression(source: str, *, flags: str = "") -> Expression:
    """Read an expression. ``flags`` are RE2 flags that apply from the start.

    Raises:
        BadPattern: it is broken, or asks for what is not supported; says where and why.
    """
    return _Reader(source, frozenset(flags)).read()


class _Reader:
    """Reads one expression from left to right, without recursion."""

    def __init__(self, source: str, flags: frozenset[str]) -> None:
        self.source = source
        self.at = 0
        self.flags = flags
        self.groups = [_Group(flags)]
        self.names: set[str] = set()
        self.can_repeat = False
        self.repetition = -1
        """Where the repetition before this place begins; -1: there is none just before it."""

    def read(self) -> Expression:
        while self.at < len(self.source):
            self.read_one()
        if len(self.groups) > 1:
            raise BadPattern(f"missing ): {self.source}")
        whole = _alternatives(self.close())
        if whole.inside and whole.takes_none:
            raise BadPattern(r"'\B': not supported where nothing else must match")
        if whole.steps + _SEARCH_STEPS > STEPS_LIMIT:
            raise BadPattern("too large with its repetitions written out")
        return Expression(whole.text, whole.steps + _SEARCH_STEPS)

    # The parts of an expression

    def read_one(self) -> None:
        begin, character = self.at, self.source[self.at]
        if self.read_repetition():
            return
        self.repetition = -1
        self.at += 1
        match character:
            case "(":
                self.open_group(begin)
            case "|":
                group = self.groups[-1]
                group.branches.append(_sequence(group.pieces))
                group.pieces = []
                self.can_repeat = False
            case ")":
                self.close_group()
            case "^":
                self.push(_at_place("(?m:^)" if "m" in self.flags else r"\A"))
            case "$":
                self.push(_at_place("(?m:$)" if "m" in self.flags else r"\z"))
            case ".":
                self.push(_Piece("(?s:.)", 6) if "s" in self.flags else _Piece(".", 7))
            case "[":
                self.push(_one_of(self.character_class(begin)))
            case "\\":
                self.read_escaped(begin)
            case _:
                self.push_literal(ord(character))

    def push(self, piece: _Piece) -> None:
        self.groups[-1].pieces.append(piece)
        self.can_repeat = True

    def push_literal(self, code: int) -> None:
        self.push(_literal(code, ignore_case="i" in self.flags))

    def read_escaped(self, begin: int) -> None:
        letter = self.source[self.at : self.at + 1]
        match letter:
            case "b" | "B":
                self.push(_at_place(f"\\{letter}", inside=letter == "B"))
            case "A" | "z":
                self.push(_at_place(f"\\{letter}"))
            case "Q":
                end = self.source.find("\\E", self.at + 1)
                stop = len(self.source) if end < 0 else end
                for character in self.source[self.at + 1 : stop]:
                    self.push_literal(ord(character))
                self.at = len(self.source) if end < 0 else end + 2
                return
            case _:
                self.at = begin
                known = self.named_class()
                if known is None:
                    self.push_literal(self.escaped_code())
                else:
                    self.push(_one_of(known))
                return
        self.at += 1

    # Groups and flags

    def open_group(self, begin: int) -> None:
        if len(self.groups) > GROUP_DEPTH_LIMIT:
            raise BadPattern(f"groups nested more than {GROUP_DEPTH_LIMIT} deep")
        inside: frozenset[str] | None = self.flags
        if self.source.startswith("?", self.at):
            inside = self.after_question_mark(begin)
        if inside is not None:
            self.groups.append(_Group(self.flags))
            self.flags = inside
        self.can_repeat = False

    def after_question_mark(self, begin: int) -> frozenset[str] | None:
        """Read what follows ``(?``; returns the group's flags, or None if it opens no group."""
        self.at += 1
        ahead = self.source[self.at : self.at + 2]
        if ahead[:1] in {"=", "!"} or ahead in {"<=", "<!"}:
            place = self.source[begin : self.at + (2 if ahead[0] == "<" else 1)]
            raise BadPattern(f"'{place}': lookaround and similar groups are not supported")
        if ahead == "P<" or ahead[:1] == "<":
            self.read_name(begin)
            return self.flags
        flags, sign, changed = set(self.flags), True, False
        while self.at < len(self.source):
            letter = self.source[self.at]
            self.at += 1
            if letter in _FLAGS:
                changed = True
                (flags.add if sign else flags.discard)(letter)
            elif letter == "-" and sign:
                sign, changed = False, False
            elif letter in ":)" and (sign or changed):
                if letter == ":":
                    return frozenset(flags)
                self.flags = frozenset(flags)
                return None
            else:
                break
        place = self.source[begin : self.at]
        raise BadPattern(f"'{place}': lookaround and similar groups are not supported")

    def read_name(self, begin: int) -> None:
        start = self.source.index("<", self.at) + 1
        end = self.source.find(">", start)
        name = self.source[start : max(end, start)]
        is_name = all(letter.isalpha() or letter in "_0123456789" for letter in name)
        if not name or not is_name:
            raise BadPattern(f"invalid name of a group: {self.source[begin : end + 1 or None]}")
        if name in self.names:
            raise BadPattern(f"duplicate name of a group: {name}")
        self.names.add(name)
        self.at = end + 1

    def close(self) -> list[_Piece]:
        group = self.groups.pop()
        self.flags = group.outside
        return [*group.branches, _sequence(group.pieces)]

    def close_group(self) -> None:
        if len(self.groups) == 1:
            raise BadPattern(f"unexpected ): {self.source}")
        self.push(_alternatives(self.close()))

    # Repetitions

    def read_repetition(self) -> bool:
        """Read ``*``, ``+``, ``?`` or counts here; False if there is none."""
        begin, source = self.at, self.source
        counts = self.counts()
        if counts is None:
            return False
        if source.startswith("?", self.at):
            self.at += 1
        written = source[begin : self.at]
        if self.repetition >= 0:
            raise BadPattern(f"bad repetition operator: {source[self.repetition : self.at]}")
        least, most = counts
        counted = written[0] == "{"
        if counted and (max(least, most) > REPEAT_LIMIT or 0 <= most < least):
            raise BadPattern(f"'{written}': repeated too often, or counted backwards")
        if not self.can_repeat:
            raise BadPattern(f"no argument for repetition operator: {written}")
        pieces = self.groups[-1].pieces
        pieces[-1] = piece = _repeated(pieces[-1], least, most, counted=counted)
        if piece.repeated > REPEAT_LIMIT:
            raise BadPattern(f"'{written}': repeated too often, or counted backwards")
        self.repetition = begin
        return True

    def counts(self) -> tuple[int, int] | None:
        """Least and most repetitions (-1: no limit). None if there are none; `at` stays."""
        sign = self.source[self.at]
        simple = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(sign)
        if simple is not None:
            self.at += 1
            return simple
        end = self.source.find("}", self.at)
        if sign != "{" or end < 0:
            return None
        least, comma, most = self.source[self.at + 1 : end].partition(",")
        if not _is_count(least) or (most and not _is_count(most)):
            return None
        self.at = end + 1
        if not comma:
            return int(least), int(least)
        return int(least), int(most) if most else -1

    # Classes

    def named_class(self) -> Ranges | None:
        r"""Read ``\d``, ``\pL``, ``\p{Greek}`` and the like; None if there is none here."""
        begin = self.at
        letter = self.source[begin + 1 : begin + 2]
        found: Ranges | None
        if letter.lower() in classes.PERL:
            self.at += 2
            found, is_positive = classes.PERL[letter.lower()], letter.islower()
        elif letter in {"p", "P"}:
            name = self.source[begin + 2 : begin + 3]
            self.at += 3
            if name == "{":
                end = self.source.find("}", self.at)
                name = self.source[self.at : end] if end >= 0 else ""
                self.at = end + 1 if end >= 0 else len(self.source)
            is_positive = (letter == "p") != name.startswith("^")
            found = classes.unicode_class(name.removeprefix("^"))
            if found is None:
                place = self.source[begin : self.at]
                raise BadPattern(f"invalid character class range: {place}")
        else:
            return None
        return self.signed(found, is_positive=is_positive)

    def signed(self, ranges: Ranges, *, is_positive: bool) -> Ranges:
        """Apply case folding before negation, as RE2 does."""
        if "i" in self.flags:
            ranges = classes.folded(ranges)
        return ranges if is_positive else classes.negated(ranges)

    def character_class(self, begin: int) -> Ranges:
        """Read ``[…]``, starting just after the bracket."""
        is_positive = not self.source.startswith("^", self.at)
        self.at += not is_positive
        first, found = True, list[tuple[int, int]]()
        while first or not self.source.startswith("]", self.at):
            first = False
            known = self.posix_class()
            if known is None and self.source.startswith("\\", self.at):
                known = self.named_class()
            if known is not None:
                found += known
                continue
            start = self.at
            low = high = self.class_character(begin)
            ahead = self.source[self.at : self.at + 2]
            if len(ahead) == 2 and ahead[0] == "-" and ahead[1] != "]":
                self.at += 1
                high = self.class_character(begin)
            if high < low:
                place = self.source[start : self.at]
                raise BadPattern(f"invalid character class range: {place}")
            found += self.signed(((low, high),), is_positive=True)
        self.at += 1
        ranges = classes.joined(found)
        return ranges if is_positive else classes.negated(ranges)

    def posix_class(self) -> Ranges | None:
        end = self.source.find(":]", self.at + 2)
        if end < 0 or not self.source.startswith("[:", self.at):
            return None
        name = self.source[self.at + 2 : end]
        ranges = classes.POSIX.get(name.removeprefix("^"))
        if ranges is None:
            raise BadPattern(f"invalid character class range: [:{name}:]")
        self.at = end + 2
        return self.signed(ranges, is_positive=not name.startswith("^"))

    def class_character(self, begin: int) -> int:
        if self.at >= len(self.source):
            raise BadPattern(f"missing ]: {self.source[begin:]}")
        if self.source[self.at] == "\\":
            return self.escaped_code()
        self.at += 1
        return ord(self.source[self.at - 1])

    # Escapes

    def escaped_code(self) -> int:
        r"""Read an escape for one character, starting at its ``\``."""
        begin = self.at
        if begin + 1 == len(self.source):
            raise BadPattern("trailing \\")
        letter = self.source[begin + 1]
        self.at += 2
        code: int | None = None
        if letter in _OCTAL:
            code = self.octal(letter)
        elif letter in "xu":
            code = self.hexadecimal(2 if letter == "x" else 4)
        elif letter in _CONTROLS:
            code = _CONTROLS[letter]
        elif letter.isascii() and not letter.isalnum():
            code = ord(letter)
        if code is None:
            raise BadPattern(f"'{self.source[begin : self.at]}': not supported")
        return code

    def octal(self, digits: str) -> int | None:
        r"""Up to three octal digits; None for a lone nonzero one: a back reference."""
        while len(digits) < 3 and self.source[self.at : self.at + 1] in _OCTAL:
            digits += self.source[self.at]
            self.at += 1
        return int(digits, 8) if len(digits) > 1 or digits == "0" else None

    def hexadecimal(self, length: int) -> int | None:
        if self.source.startswith("{", self.at):
            end = self.source.find("}", self.at)
            digits, behind = self.source[self.at + 1 : max(end, 0)], end + 1
        else:
            digits, behind = self.source[self.at : self.at + length], self.at + length
            if len(digits) < length:
                return None
        if not digits or not _HEX.issuperset(digits) or int(digits, 16) > classes.LAST:
            return None
        self.at = behind
        return int(digits, 16)


def _is_count(text: str) -> bool:
    """Whether RE2 accepts this as a count: no leading zero, and not absurdly large."""
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return is_number and (text == "0" or text[0] != "0")


@lru_cache(maxsize=512)
def _literal(code: int, *, ignore_case: bool) -> _Piece:
    return _one_of(classes.folded(((code, code),)) if ignore_case else ((code, code),))


def _one_of(ranges: Ranges) -> _Piece:
    return _Piece(_class_text(ranges), classes.steps(ranges))


def _at_place(text: str, *, inside: bool = False) -> _Piece:
    return _Piece(text, takes_none=True, takes_some=False, inside=inside)


def _sequence(pieces: list[_Piece]) -> _Piece:
    """Pieces one after another."""
    text = "".join(piece.text for piece in pieces)
    takes_none = all(piece.takes_none for piece in pieces)
    return _together(pieces, text, sum(piece.steps for piece in pieces), takes_none=takes_none)


def _alternatives(branches: list[_Piece]) -> _Piece:
    text = f"(?:{'|'.join(branch.text for branch in branches)})"
    takes_none = any(branch.takes_none for branch in branches)
    steps = sum(branch.steps + 1 for branch in branches)
    return _together(branches, text, steps, takes_none=takes_none)


def _together(pieces: list[_Piece], text: str, steps: int, *, takes_none: bool) -> _Piece:
    """Several pieces as one; the only one as it is."""
    return (
        pieces[0]
        if len(pieces) == 1
        else _Piece(
            text,
            steps,
            max((piece.repeated for piece in pieces), default=1),
            takes_none,
            any(piece.takes_some for piece in pieces),
            any(piece.inside for piece in pieces),
        )
    )


def _repeated(piece: _Piece, least: int, most: int, *, counted: bool) -> _Piece:
    """A piece repeated ``least`` to ``most`` times; -1: no limit."""
    times = max(least, most, 1)
    repeated = piece.repeated * (times if counted else 1)
    if most == 0 or (not piece.takes_some and least == 0):
        return _Piece("", 0, repeated, takes_none=True, takes_some=False)
    if not piece.takes_some:
        # Once at a place is as good as often, and engines take loops of nothing in various ways.
        return replace(piece, repeated=repeated)
    text = f"(?:{piece.text})"
    signs = {(0, -1): "*", (1, -1): "+", (0, 1): "?"}
    text += signs.get((least, most)) or f"{{{least},{most if most >= 0 else ''}}}"
    return _Piece(
        text,
        piece.steps * times + (times - least if most > 0 else 1),
        repeated,
        piece.takes_none or least == 0,
        takes_some=True,
        inside=piece.inside,
    )


def _class_text(ranges: Ranges) -> str:
    """A class written so that every engine reads it the same way."""
    if not ranges:
        return r"\z(?s:.)"  # nothing is behind the end
    if ranges == classes.ANY:
        return "(?s:.)"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _character(ranges[0][0])
    parts = (
        _character(first) if first == last else f"{_character(first)}-{_character(last)}"
        for first, last in ranges
    )
    return f"[{''.join(parts)}]"


def _character(code: int) -> str:
    character = chr(code)
    return f"\\{character}" if character in _PUNCTUATION else character
