"""The header line of each message: ``#### 7~1 · Mira · time · backend: local · flag``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from perdure.companion.conversation.escape import escape_field, unescape_field
from perdure.companion.turns import Message, Reply

SEPARATOR = " · "

_HEADER = re.compile(r"#### (0|[1-9][0-9]{0,8})(?:~([1-9][0-9]{0,5}))?(?: · (.*))?", re.DOTALL)
# A header that a hand has bent: another level, spaces gone or doubled.
_LOOSE = re.compile(r"#{1,6} *([0-9]{1,9}) *(?:~ *([0-9]{1,6}))? *· *(.*)", re.DOTALL)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
)
_VALUES = frozenset({"backend", "model"})
_FLAGS = frozenset({"interrupted", "stand-in"})


@dataclass(slots=True)
class Header:
    """One parsed header. ``answer`` is 0 for the user's message."""

    number: int
    answer: int
    speaker: str = ""
    at: datetime | None = None
    backend: str = ""
    model: str = ""
    interrupted: bool = False
    stand_in: bool = False
    notes: dict[str, str] | None = None
    trouble: str = ""

    def message(self, text: str) -> Message:
        """The user's message under this header."""
        return Message(self.speaker, text, self.at, self.notes or {})

    def reply(self, text: str) -> Reply:
        """The reply under this header."""
        return Reply(
            speaker=self.speaker,
            text=text,
            at=self.at,
            answer=self.answer,
            backend=self.backend,
            model=self.model,
            interrupted=self.interrupted,
            stand_in=self.stand_in,
            notes=self.notes or {},
        )


def format_time(at: datetime, separator: str = " ") -> str:
    """``at`` in the format's notation. Raises ValueError unless its offset is whole seconds."""
    offset = at.utcoffset()
    if offset is None or offset.microseconds:
        raise ValueError(f"a time without a UTC offset in whole seconds: {at}")
    return at.isoformat(separator)


def parse_time(text: str) -> datetime | None:
    """Read a time with its offset; None if it is not one."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def message_header(number: int, message: Message) -> str:
    """The header of the user's message of turn ``number``."""
    fields = [_numbered(number), escape_field(message.speaker)]
    if message.at is not None:
        fields.append(format_time(message.at))
    fields.extend(_notes(message.notes, is_reply=False))
    return SEPARATOR.join(fields)


def reply_header(number: int, reply: Reply) -> str:
    """The header of one reply in turn ``number``."""
    if not 1 <= reply.answer <= 999_999:
        raise ValueError(f"not an answer's number: {reply.answer}")
    fields = [f"{_numbered(number)}~{reply.answer}", escape_field(reply.speaker)]
    if reply.at is not None:
        fields.append(format_time(reply.at))
    if reply.backend:
        fields.append(f"backend: {escape_field(reply.backend)}")
    if reply.model:
        fields.append(f"model: {escape_field(reply.model)}")
    if reply.interrupted:
        fields.append("interrupted")
    if reply.stand_in:
        fields.append("stand-in")
    fields.extend(_notes(reply.notes, is_reply=True))
    return SEPARATOR.join(fields)


def _numbered(number: int) -> str:
    if not 0 <= number <= 999_999_999:
        raise ValueError(f"not a turn's number: {number}")
    return f"#### {number}"


def _notes(notes: Mapping[str, str], *, is_reply: bool) -> list[str]:
    """The fields for ``notes``; a key that looks like one of ours has its first letter escaped."""
    fields = []
    for key, value in notes.items():
        name = escape_field(key).replace(":", "&#x3A;")
        if is_reply and key in (_VALUES if value else _FLAGS):
            name = f"&#x{ord(key[0]):X};{name[1:]}"
        fields.append(f"{name}: {escape_field(value)}" if value else name)
    return fields


def parse_header(line: str) -> Header | None:
    """Read a header line; None if it is not one. A malformed one is read, with ``trouble`` set."""
    bent = ""
    if line.endswith("\r"):
        line, bent = line[:-1], "line end converted to CRLF"
    found = _HEADER.fullmatch(line)
    if not found:
        found = _LOOSE.fullmatch(line)
        if not found:
            return None
        bent = "malformed header"
    header = Header(int(found[1]), int(found[2] or 0), trouble=bent)
    if found[3] is None:
        header.trouble = "header without a speaker"
        return header
    fields = found[3].split(SEPARATOR)
    header.speaker = unescape_field(fields[0].strip(" "))
    for position, raw in enumerate(fields[1:]):
        _read_field(header, raw.strip(" "), is_first=position == 0)
    return header


def _read_field(header: Header, field: str, *, is_first: bool) -> None:
    if is_first and _TIME.fullmatch(field):
        header.at = parse_time(field)
        if header.at is not None:
            return
        header.trouble = header.trouble or f"not a valid time: {field}"
    key, colon, value = field.partition(": ")
    name = key.replace("-", "_")
    if header.answer and key in (_VALUES if colon else _FLAGS) and not getattr(header, name):
        setattr(header, name, unescape_field(value) if colon else True)
        return
    if not colon:
        key, value = field, ""
    _note(header, unescape_field(key), unescape_field(value) if colon else "")


def _note(header: Header, key: str, value: str) -> None:
    if header.notes is None:
        header.notes = {}
    if key in header.notes:
        header.trouble = header.trouble or f"field given twice: {key}"
        value = f"{header.notes[key]}{SEPARATOR}{value}"
    header.notes[key] = value
