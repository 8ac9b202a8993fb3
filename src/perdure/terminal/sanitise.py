"""Make untrusted text safe for a terminal: words stay, control sequences go.

Replies, imported conversations and file contents may contain escape sequences that set the
clipboard, rewrite the title, move the cursor or make the terminal type an answer. What is stored
keeps every character; what is shown passes through here.

Dropped: C0 controls but newline and tab, DEL, C1 controls, and whole CSI, OSC, DCS, APC, PM and SOS
sequences in their 7-bit and 8-bit forms. Bidirectional controls, which can make a line read as
something it does not say, become the visible `BIDI_MARK`; a lone surrogate, which no terminal
encoding can carry, becomes U+FFFD. Joiners and variation selectors stay: emoji are made of them.
"""

from __future__ import annotations

import re

BIDI_MARK = "⇆"
BODY_LIMIT = 4096
"""Characters of a control string's body that are dropped at most."""

MARKS_LIMIT = 16
"""Combining marks that are drawn on one letter: no script stacks as many."""

_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_FORBIDDEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}\ud800-\udfff]")
_INTRODUCER = re.compile("[\x1b\x90\x98\x9b\x9d-\x9f]")
_PARAMETERS = re.compile("[0-?]{0,256}[ -/]{0,256}")
_BODY_END = re.compile("[\n\x07\x18\x1a\x1b\x90\x98\x9b-\x9f]")
_INTERMEDIATES = re.compile("[ -/]{0,256}")
_CSI_7BIT, _CSI_8BIT = "[", "\x9b"
_STRINGS_7BIT = frozenset("]P_^X")


def sanitise(text: str) -> str:
    """The text, safe to write to a terminal."""
    cleaner = Sanitiser()
    return cleaner.feed(text) + cleaner.end()


class Sanitiser:
    """Sanitises text that arrives in pieces.

    A sequence may be cut anywhere between two pieces, so an unfinished tail is held back until it
    is clear what it is. ``feed`` of any split, followed by ``end``, gives what `sanitise` gives for
    the whole.
    """

    def __init__(self) -> None:
        self._held = ""
        self._marks = 0

    def feed(self, piece: str) -> str:
        """Take the next piece; returns the text that is safe to show."""
        return self._take(piece, final=False)

    def end(self) -> str:
        """End the text; returns what was still held back, sanitised."""
        return self._take("", final=True)

    def _take(self, piece: str, *, final: bool) -> str:
        text = self._held + piece
        # Of what was held, all but its last character has been looked through before.
        seen = len(self._held) - 1
        self._held = ""
        shown: list[str] = []
        at = 0
        while found := _INTRODUCER.search(text, at):
            start = found.start()
            shown.append(text[at:start])
            after = _past_sequence(text, start, seen, final=final)
            if after is None:
                self._held = text[start:]
                at = len(text)
                break
            at = after
        shown.append(text[at:])
        return self._bounded(_FORBIDDEN.sub(_stand_in, "".join(shown)))

    def _bounded(self, text: str) -> str:
        """The text with at most `MARKS_LIMIT` combining marks on one letter."""
        before, last = self._marks, 0

        def cut(found: re.Match[str]) -> str:
            nonlocal last
            drawn = before if found.start() == 0 else 0
            if found.end() == len(text):
                last = drawn + len(found[0])
            return found[0][: max(0, MARKS_LIMIT - drawn)]

        if not text:
            return text
        text_then = _MARKS.sub(cut, text)
        self._marks = last
        return text_then


def _stand_in(found: re.Match[str]) -> str:
    character = found[0]
    if character < "\xa0":
        return ""
    return "\ufffd" if "\ud800" <= character <= "\udfff" else BIDI_MARK


def _past_sequence(text: str, start: int, seen: int, *, final: bool) -> int | None:
    """Where the sequence at ``start`` ends; None while that is unknown."""
    first = text[start]
    if first == _CSI_8BIT:
        return _past_csi(text, start + 1, final=final)
    if first != "\x1b":
        return _past_string(text, start + 1, seen, final=final, seven_bit=False)
    if start + 1 == len(text):
        return len(text) if final else None
    second = text[start + 1]
    if second == _CSI_7BIT:
        return _past_csi(text, start + 2, final=final)
    if second in _STRINGS_7BIT:
        return _past_string(text, start + 2, seen, final=final, seven_bit=True)
    return _past_plain_escape(text, start + 1, final=final)


def _past_csi(text: str, at: int, *, final: bool) -> int | None:
    end = _run_end(_PARAMETERS, text, at)
    if end == len(text):
        return end if final else None
    return end + 1 if "@" <= text[end] <= "~" else end


def _past_plain_escape(text: str, at: int, *, final: bool) -> int | None:
    end = _run_end(_INTERMEDIATES, text, at)
    if end == len(text):
        return end if final else None
    return end + 1 if "0" <= text[end] <= "~" else end


def _past_string(text: str, at: int, seen: int, *, final: bool, seven_bit: bool) -> int | None:
    """The end of a control string, or of as much of an unterminated one as is dropped.

    Another introducer ends one as well: so no character is looked at for more than one of them.
    None before ``seen`` ends it.

    ESC never occurs in honest text, so an unterminated 7-bit string is dropped to the end of its
    line. The 8-bit introducers do: they are what UTF-8 quotation marks become when they are decoded
    as Latin-1. Then only the introducer goes, and the words after it stay.
    """
    limit = min(len(text), at + BODY_LIMIT)
    found = _BODY_END.search(text, max(at, seen), limit)
    end = found.start() if found is not None else limit
    if end == len(text) and end - at < BODY_LIMIT and not final:
        return None
    terminator = text[end : end + 2]
    if terminator[:1] in {"\x07", "\x9c"}:
        return end + 1
    if terminator == "\x1b\\":
        return end + 2
    if terminator == "\x1b" and not final:
        return None
    if end == len(text) and not final:
        return None
    return end if seven_bit else at


def _run_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
