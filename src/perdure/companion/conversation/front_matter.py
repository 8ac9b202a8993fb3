"""A chunk's front matter: written here, and read here if perdure wrote it.

It is YAML that is read without loading a YAML library. Whatever a hand has changed beyond that goes
through the strict YAML reader, and what even that refuses is read line by line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from perdure.companion.config.upgrades import FORMAT
from perdure.companion.conversation.escape import escape_text, unescape
from perdure.companion.conversation.header import format_time, parse_time
from perdure.companion.errors import Trouble
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead
from perdure.companion.yaml.fast import read_undamaged
from perdure.companion.yaml.quote import quoted
from perdure.companion.yaml.strict import flattened

KEYS = ("format", "conversation", "chunk", "title", "participants", "started", "continues", "joins")
UNKNOWN = ConversationId("0001-01-01-0000-00000000")
"""Stands for the conversation of a chunk whose head and path both do not tell."""

_BARE_KEY = re.compile(r"[a-z][a-z0-9-]{2,40}")
# Words that some YAML version reads as no text.
_TAKEN = frozenset({*KEYS, "null", "true", "false", "yes", "off"})
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")

FrontValue = str | list[str]


def render_front(head: ChunkHead) -> str:
    """Write the front matter with both ``---`` lines. Raises ValueError for a negative number."""
    if head.chunk < 0:
        raise ValueError(f"not a chunk's number: {head.chunk}")
    lines = [
        "---",
        f"format: {FORMAT}",
        f"conversation: {head.conversation}",
        f"chunk: {head.chunk}",
        f"title: {_quoted(head.title)}",
        f"participants: [{', '.join(_quoted(name) for name in head.participants)}]",
    ]
    if head.started is not None:
        lines.append(f"started: {format_time(head.started, 'T')}")
    if head.continues is not None:
        lines.append(f"continues: {head.continues}")
    if head.joins:
        lines.append(f"joins: [{', '.join(_quoted(str(end)) for end in head.joins)}]")
    lines.extend(f"{_key(key)}: {_quoted(value)}" for key, value in head.notes.items())
    return "\n".join([*lines, "---", ""])


def _quoted(text: str) -> str:
    return quoted(escape_text(text))


def _key(key: str) -> str:
    is_bare = _BARE_KEY.fullmatch(key) and key not in _TAKEN
    if is_bare:
        return key
    # A note of ours that is called like a key of ours: its first letter is a reference.
    name = escape_text(key)
    if key in KEYS:
        name = f"&#x{ord(key[0]):X};{key[1:]}"
    return quoted(name)


@dataclass(slots=True)
class FrontMatter:
    """The front matter as written: fields of a `ChunkHead`, as far as it has them."""

    values: dict[str, Any] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    def head(self, conversation: ConversationId | None, chunk: int | None) -> ChunkHead:
        """The chunk's head; the path supplies ``conversation`` and ``chunk``."""
        named = {"conversation": conversation or UNKNOWN, "chunk": chunk or 0}
        return ChunkHead(**{**named, **self.values})


def read_front(lines: list[str], first_line: int) -> FrontMatter:
    """Read the lines between the two ``---``. Never raises; ``troubles`` lists what is wrong."""
    node, troubles = read_undamaged(lines, first_line)
    notes: dict[str, str] = {}
    front = FrontMatter({"notes": notes}, troubles)
    for key, item in node.items.items():
        value = flattened(item)
        if key in KEYS:
            problem = _take(front, key, value)
            if problem:
                front.troubles.append(Trouble(node.lines[key], problem))
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            notes[unescape(key)] = unescape(text)
    for key in ("format", "conversation", "chunk"):
        if key not in node.items:
            front.troubles.append(Trouble(first_line, f"front matter without '{key}'"))
    return front


def _take(front: FrontMatter, key: str, value: FrontValue) -> str:
    """Store one known key in ``front``; returns what is wrong with it, or ""."""
    match key, value:
        case "title", _:
            front.values[key] = unescape(value if isinstance(value, str) else json.dumps(value))
        case "participants", str():
            front.values[key] = (unescape(value),)
        case "participants", list():
            front.values[key] = tuple(unescape(name) for name in value)
        case "joins", str() | list():
            ends = [value] if isinstance(value, str) else value
            try:
                front.values[key] = tuple(dict.fromkeys(map(TurnId.parse, ends)))
            except ValueError:
                return f"not a valid {key}: {value}"
        case _:
            try:
                return _take_exact(front, key, str(value))
            except ValueError:
                return f"not a valid {key}: {value}"
    return ""


def _take_exact(front: FrontMatter, key: str, text: str) -> str:
    """Store a key with a strict form. Raises ValueError for a value that breaks it."""
    match key:
        case "format":
            if int(text) != FORMAT:
                return f"format {text}, but this version of perdure knows format {FORMAT}"
        case "chunk":
            if not _NUMBER.fullmatch(text):
                raise ValueError(text)
            front.values[key] = int(text)
        case "conversation":
            front.values[key] = ConversationId(text)
        case "continues":
            front.values[key] = TurnId.parse(text)
        case "started":
            if (started := parse_time(text)) is None:
                raise ValueError(text)
            front.values[key] = started
        case _:
            raise ValueError(text)
    return ""
