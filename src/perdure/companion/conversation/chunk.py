"""Chunks, the files that hold conversations; ``docs/format.md`` specifies them.

Writing and reading are inverse for every text: ``parse_chunks(render_chunk(head, turns))`` gives
``head`` and ``turns`` back, and the bytes of a chunk are those of its parts one after another, so
a turn is added by appending.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date

from perdure.companion.conversation.escape import escape_text
from perdure.companion.conversation.front_matter import render_front
from perdure.companion.conversation.header import message_header, reply_header
from perdure.companion.conversation.parser import read_chunks
from perdure.companion.errors import Trouble
from perdure.companion.ids import ConversationId
from perdure.companion.turns import Chunk, ChunkHead, Reply, Turn

CHUNK_LIMIT = 16 * 1024
"""Bytes from which on the next turn begins a new chunk."""
CHUNK_FILE_LIMIT = 8 * 1024 * 1024
"""Of a chunk that is read: one reply may be longer than `CHUNK_LIMIT`, a larger file is none."""
CONVERSATIONS = "conversations"
ALTERNATIVES = "alternatives"
_HEADING = re.compile(
    "^#(?:### (0|[1-9][0-9]{0,8})(?:~[1-9][0-9]{0,5})? · .+$)?".encode(), re.MULTILINE
)
"""A line that may be a header; the turn's number is known of one that surely is."""

_PATH = re.compile(
    r"(?:conversations|alternatives)/[0-9]{4}-[0-9]{2}/[0-9]{2}/"
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4})-([0-9]{4,9})-([0-9a-f]{8})\.md"
)


def render_head(head: ChunkHead) -> bytes:
    """Write the front matter. Raises ValueError if ``started`` has no UTC offset."""
    return render_front(head).encode()


def render_turn(turn: Turn) -> bytes:
    """Write one turn. Raises ValueError for a time without an offset or a number out of range."""
    parts = []
    if turn.message is not None:
        parts.append(_block(message_header(turn.number, turn.message), turn.message.text))
    parts.extend(_block(reply_header(turn.number, reply), reply.text) for reply in turn.replies)
    return "".join(parts).encode()


def render_reply(number: int, reply: Reply) -> bytes:
    """Write one reply that goes at the end of a chunk, below turn ``number``."""
    return _block(reply_header(number, reply), reply.text).encode()


def render_chunk(head: ChunkHead, turns: Iterable[Turn]) -> bytes:
    """Write a whole chunk: its head, then each turn."""
    return b"".join([render_head(head), *map(render_turn, turns)])


def _block(header: str, text: str) -> str:
    # An empty line is quoted by the mark alone: editors strip spaces at line ends.
    lines = [f"> {line}" if line else ">" for line in escape_text(text).split("\n")]
    return "\n".join(["", header, "", *lines, ""])


def parse_chunks(data: bytes, path: str | None = None) -> list[Chunk]:
    """Read a chunk file. Returns at least one chunk; several if files were concatenated.

    Never raises for what ``data`` holds: see ``troubles`` of each chunk. A chunk that has any is
    not to be appended to. ``path`` in the tree fills what a lost head would have said; without
    both the conversation is `UNKNOWN`. Bytes that are not UTF-8 are kept as lone surrogates
    (PEP 383) and reported.
    """
    troubles: list[Trouble] = []
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        troubles.append(Trouble(line, "bytes that are not UTF-8"))
        text = data.decode(errors="surrogateescape")
    if text.startswith("\ufeff"):
        troubles.append(Trouble(1, "begins with a byte order mark"))
        text = text[1:]
    if text.startswith("---\r\n"):
        troubles.append(Trouble(1, "line ends were converted to CRLF"))
        text = text.replace("\r\n", "\n")
    named = parse_chunk_path(path) if path is not None else None
    return read_chunks(text, troubles, *(named or (None, None)))


def only_turns(data: bytes, numbers: Collection[int]) -> bytes:
    """A chunk file cut down to some turns and its last one, which parses faster.

    Where anything but turns in their order stands in it, it stays as it is.
    """
    headers = list(_HEADING.finditer(data))
    starts = [found.start() for found in headers]
    turns = [int(found[1] or -1) for found in headers]
    is_sound = bool(turns) and -1 not in turns and turns == sorted(turns)
    if not is_sound or data.count(b"\n---") != 1 or b"\r" in data:
        return data
    blocks = zip(turns, starts, [*starts[1:], len(data)], strict=True)
    # How a file ends decides what becomes of a header without words.
    wanted = {*numbers, turns[-1]}
    kept = [data[start:end] for turn, start, end in blocks if turn in wanted]
    return b"".join([data[: starts[0]], *kept])


def chunk_path(
    conversation: ConversationId, number: int, day: date, root: str = CONVERSATIONS
) -> str:
    """The path of chunk ``number`` (from 1); ``day`` is the local day of its first turn.

    The conversation's hex digits stand last because git pairs versions by the end of a name.
    """
    return f"{root}/{day:%Y-%m}/{day:%d}/{conversation.minute}-{number:04d}-{conversation.hex}.md"


def parse_chunk_path(path: str) -> tuple[ConversationId, int] | None:
    """The conversation and number that a chunk's or alternatives file's path names, or None."""
    found = _PATH.fullmatch(path)
    if not found:
        return None
    return ConversationId(f"{found[1]}-{found[3]}"), int(found[2])


_BLOCK = (
    rb"\n#### (?:0|[1-9][0-9]{0,8})(?:~[1-9][0-9]{0,5})?(?: \xc2\xb7 [^\n]*)?\n"
    rb"\n(?:>(?: [^\n]*)?\n)+"
)


_SOUND = re.compile(rb"---\n(?:(?!---\n|> |#### )[^\n]*\n)*---\n(?:%b)*" % _BLOCK)
"""A chunk as it is written; in anything else the reader decides what is a turn."""


_HEADER = re.compile(rb"^#### ([0-9]+)(~)?", re.MULTILINE)


def turn_numbers(data: bytes, path: str | None = None) -> list[int]:
    """The turn numbers in a chunk, in file order, as `parse_chunks` would find them.

    Args:
        data: the chunk.
        path: its path in the tree.
    """
    if not _SOUND.fullmatch(data):
        return [turn.number for chunk in parse_chunks(data, path) for turn in chunk.turns]
    numbers: list[int] = []
    for digits, answer in _HEADER.findall(data):
        number = int(digits)
        # An answer belongs to the turn above it, where it has that one's number.
        if not answer or not numbers or numbers[-1] != number:
            numbers.append(number)
    return numbers
