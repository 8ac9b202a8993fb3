"""What a terminal sends, as events. No bytes end the program, or act as keys they are not.

Textual 8.2.8 decodes strictly (``drivers/linux_driver.py``), and its parser raises on some
sequences, types the rest of one that it does not know as keys, and waits for the end of a paste
forever. So bytes are decoded here, cut into runs of text, sequences and pastes as ECMA-48 has them,
and only text and known sequences reach that parser.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator

from textual import events
from textual._parser import Read1
from textual._xterm_parser import XTermParser
from textual.message import Message

from perdure.tui.widgets.input_text import writable

PASTE_LIMIT = 250_000
"""Characters of a paste that are taken: far beyond, each key in the box would take seconds."""
_QUIET_TICKS = 30
"""Tenths of a second without a byte after which a paste that has no end is taken as it is."""
_SEQUENCE_TICKS = 3
"""The same for a control string without an end."""
_LONG = 32
"""Characters in one read that no key sends: the rest of a paste that stood still."""
_WIDEST = 5_000
"""Columns or rows of no terminal."""
_LONGEST = 4096
"""Characters of an unfinished sequence that are waited with; more is no sequence."""

_PASTE, _PASTE_END = "\x1b[200~", "\x1b[201~"
_MOUSE_X10 = "\x1b[M"
_CSI = re.compile(r"\x1b\[[ -?]*[@-~]")
_CSI_BEGUN = re.compile(r"\x1b(\[[ -?]*)?")
_STRING = re.compile(r"\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)")
_STRING_BEGUN = re.compile(r"\x1b[\]P^_X][^\x07\x1b]*\x1b?")
_ALT = 2
"""Letters of a key with alt, which may also begin a control string."""
_OTHER = re.compile(r"\x1b(?:O[ -~]|[^\x1b\[\]P^_X])")
_RUNS = re.compile("[\x00-\x1f\x7f-\x9f]+|[^\x00-\x1f\x7f-\x9f]+")
"""Control characters, which are keys, and the letters between them."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class TerminalInput:
    """Takes bytes as they are read, gives events. ``tick`` is called when none came for 0.1 s."""

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._parser = XTermParser()
        self._held = ""
        self._paste: list[str] | None = None
        self._pasted = 0
        self._stood_still = False
        self._quiet = 0
        self.odd = False
        """Bytes came that are not UTF-8."""
        self.cut = 0
        """Characters of pastes that were beyond the limit."""

    @property
    def is_pasting(self) -> bool:
        """Whether the end of a paste is still to come."""
        return self._paste is not None

    def feed(self, data: bytes) -> Iterator[Message]:
        """The next bytes."""
        self._quiet = 0
        text = self._held + self._decode(data)
        self._held = ""
        if self._stood_still:
            self._stood_still = False
            if _PASTE_END in text or len(text) > _LONG:
                self._paste = []
        yield from self._take(text)

    def tick(self) -> Iterator[Message]:
        """No byte came for a tenth of a second."""
        self._quiet += 1
        if self._paste is not None:
            if self._quiet >= _QUIET_TICKS:
                self._stood_still = True
                yield from self._end_paste()
            return
        if self._held == "\x1b":
            self._held = ""
            yield events.Key("escape", "\x1b")
        elif len(self._held) == _ALT or not _STRING_BEGUN.fullmatch(self._held):
            held, self._held = self._held, ""
            if held:
                yield from self._parsed(held)
        elif self._quiet >= _SEQUENCE_TICKS:
            self._held = ""
        if self._waits_on:
            # What it waits for did not come.
            self._parser._timeout_time = 0.0  # noqa: SLF001 - as in `_waits_on`
        yield from self._safely(self._parser.tick)

    # -- text, sequences, pastes -----------------------------------------------------------------

    def _take(self, text: str) -> Iterator[Message]:
        while text:
            if self._paste is not None:
                text = self._pasting(text)
                if self._paste is None or text.startswith(_PASTE_END):
                    text = text.removeprefix(_PASTE_END)
                    yield from self._end_paste()
                    continue
                self._held = text
                return
            at = text.find("\x1b")
            if at:
                plain, text = (text, "") if at < 0 else (text[:at], text[at:])
                yield from self._plain(plain)
            elif text.startswith(_PASTE):
                text, self._paste = text.removeprefix(_PASTE), []
            elif (length := _sequence(text)) is None:
                self._held = text
                return
            else:
                sequence, text = text[:length], text[length:]
                yield from self._sequence(sequence)

    def _pasting(self, text: str) -> str:
        """Take what belongs to the paste; gives back its end mark, or what may begin one."""
        end = text.find(_PASTE_END)
        if end < 0:
            end = next(
                (len(text) - n for n in range(len(_PASTE_END) - 1, 0, -1)
                 if text.endswith(_PASTE_END[:n])),
                len(text),
            )  # fmt: skip
        kept = text[: min(end, max(0, PASTE_LIMIT - self._pasted))]
        self._pasted += len(kept)
        self.cut += end - len(kept)
        if self._paste is not None and kept:
            self._paste.append(kept)
        return text[end:]

    def _end_paste(self) -> Iterator[Message]:
        text = writable("".join(self._paste or ()))
        self._paste, self._pasted = None, 0
        if text:
            yield events.Paste(text)

    def _plain(self, text: str) -> Iterator[Message]:
        for run in _RUNS.findall(text):
            if "\ufffd" in run:
                # In another encoding a letter may end in what is a command here: none is a key.
                self.odd = True
                yield events.Paste(run)
            else:
                yield from self._parsed(run)

    def _sequence(self, sequence: str) -> Iterator[Message]:
        if sequence.startswith(_MOUSE_X10) or _STRING.fullmatch(sequence):
            return
        yield from self._parsed(sequence)
        if sequence.startswith("\x1b[") and self._waits_on:
            # It is whole, and the parser does not know it.
            self._begin_parser()

    @property
    def _waits_on(self) -> bool:
        """Whether Textual's parser takes what comes next for the rest of a sequence."""
        waits = self._parser._awaiting  # noqa: SLF001 - the version is pinned, tests hold it
        return isinstance(waits, Read1) and waits.timeout is not None

    # -- Textual's parser --------------------------------------------------------------------------

    def _parsed(self, text: str) -> Iterator[Message]:
        yield from self._safely(lambda: self._parser.feed(text))

    def _safely(self, step: Callable[[], Iterable[Message]]) -> Iterator[Message]:
        try:
            yield from (event for event in step() if _is_sound(event))
        except GeneratorExit:
            raise
        except Exception:  # noqa: BLE001 - numbers out of range, of which the parser raises many kinds
            self._begin_parser()

    def _begin_parser(self) -> None:
        old, self._parser = self._parser, XTermParser()
        for name in ("last_x", "last_y", "mouse_pixels", "terminal_size", "terminal_pixel_size"):
            setattr(self._parser, name, getattr(old, name))


def _sequence(text: str) -> int | None:
    """The length of the sequence that a text begins with; None where its end may still come."""
    if text.startswith(_MOUSE_X10):
        return len(_MOUSE_X10) + 3 if len(text) >= len(_MOUSE_X10) + 3 else None
    for whole in (_CSI, _STRING, _OTHER):
        if found := whole.match(text):
            return found.end()
    begun = _CSI_BEGUN.match(text), _STRING_BEGUN.match(text)
    longest = max(found.end() for found in begun if found is not None)
    return None if longest == len(text) < _LONGEST else longest


def _is_sound(event: Message) -> bool:
    """False for letters that are none, and for sizes that no terminal has."""
    if isinstance(event, events.Key):
        return not _SURROGATE.search(event.character or "")
    if isinstance(event, events.Resize):
        return 0 < event.size.width <= _WIDEST and 0 < event.size.height <= _WIDEST
    return True
