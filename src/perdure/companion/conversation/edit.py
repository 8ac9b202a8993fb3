"""Edits to turns in a chunk: add an answer, choose another, correct the words.

Everything here is from bytes to bytes. A chunk and the file of its alternatives (``docs/format.md``
§3.8) are changed together; the front matter keeps its bytes, and so does every turn that is written
as the format has it. A damaged file is never rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perdure.companion.conversation.chunk import (
    ALTERNATIVES,
    CONVERSATIONS,
    parse_chunks,
    render_head,
    render_turn,
)
from perdure.companion.errors import BadFile, NoSuchAnswer, NoSuchTurn
from perdure.companion.turns import Chunk, ChunkHead, Message, Reply, Turn


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """A chunk file and the alternatives file beside it.

    Attributes:
        path: the chunk's path, for errors.
        chunk: content of the chunk.
        alternatives: content of the other file, None where there is none.
    """

    path: str
    chunk: bytes
    alternatives: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a turn: the replies that share a permanent number. ``shown`` if chosen."""

    number: int
    replies: tuple[Reply, ...]
    shown: bool


@dataclass(frozen=True, slots=True)
class EditableChunk:
    """A chunk split into its raw front matter, the parsed head and the turns."""

    front: bytes
    head: ChunkHead
    turns: tuple[Turn, ...]

    def turn(self, number: int) -> Turn | None:
        """The turn with that number."""
        return next((turn for turn in self.turns if turn.number == number), None)

    def with_turn(self, turn: Turn) -> EditableChunk:
        """The same chunk with a turn replaced, or inserted in number order."""
        others = [other for other in self.turns if other.number != turn.number]
        ordered = sorted([*others, turn], key=lambda other: other.number)
        return replace(self, turns=tuple(ordered))

    def without(self, number: int) -> EditableChunk:
        """The same chunk without that turn."""
        return replace(self, turns=tuple(t for t in self.turns if t.number != number))

    def render(self) -> bytes:
        """The bytes of the file."""
        return self.front + b"".join(render_turn(turn) for turn in self.turns)


def alternatives_path(path: str) -> str:
    """The path of a chunk's alternatives file."""
    return f"{ALTERNATIVES}{path.removeprefix(CONVERSATIONS)}"


def open_chunk(data: bytes, path: str) -> EditableChunk:
    """Split a chunk for editing.

    Raises:
        BadFile: it is damaged, or two chunks stand in one file.
    """
    chunks = parse_chunks(data, path)
    troubles = [trouble for chunk in chunks for trouble in chunk.troubles]
    if troubles:
        raise _damaged(path, troubles[0].line, troubles[0].what)
    if len(chunks) > 1:
        raise _damaged(path, 0, "the file contains two chunks")
    return EditableChunk(_front(data, chunks[0]), chunks[0].head, chunks[0].turns)


def _damaged(path: str, line: int, what: str) -> BadFile:
    return BadFile(
        path, line, what, "the file stays as it is", "repair it in an editor, then try again"
    )


def _front(data: bytes, chunk: Chunk) -> bytes:
    """The raw bytes of the front matter, comments included."""
    end = data.find(b"\n---\n", 3)
    return data[: end + 5] if data.startswith(b"---\n") and end >= 0 else render_head(chunk.head)


def _other_sheet(files: ChunkFiles, sheet: EditableChunk) -> EditableChunk:
    path = alternatives_path(files.path)
    if files.alternatives is not None:
        return open_chunk(files.alternatives, path)
    head = sheet.head.aside
    return EditableChunk(render_head(head), head, ())


def _wanted(sheet: EditableChunk, number: int, path: str) -> Turn:
    turn = sheet.turn(number)
    if turn is None:
        raise NoSuchTurn(f"there is no turn {number} in {path}", "nothing was changed")
    return turn


def _files(files: ChunkFiles, sheet: EditableChunk, other: EditableChunk) -> ChunkFiles:
    return replace(
        files, chunk=sheet.render(), alternatives=other.render() if other.turns else None
    )


def answers(files: ChunkFiles, number: int) -> tuple[Answer, ...]:
    """Every answer to a turn, by number.

    Raises:
        NoSuchTurn: the chunk does not have that turn.
        BadFile: one of the files is damaged.
    """
    sheet = open_chunk(files.chunk, files.path)
    turn = _wanted(sheet, number, files.path)
    aside = _other_sheet(files, sheet).turn(number)
    found: dict[tuple[int, bool], list[Reply]] = {}
    for replies, shown in ((turn.replies, True), (aside.replies if aside else (), False)):
        for reply in replies:
            found.setdefault((reply.answer, shown), []).append(reply)
    return tuple(
        Answer(key[0], tuple(replies), key[1])
        for key, replies in sorted(found.items(), key=lambda item: (item[0][0], not item[0][1]))
    )


def other_wording(files: ChunkFiles, number: int) -> Message | None:
    """The user's other wording of a message, kept by a merge of two corrections; None without one.

    Raises:
        BadFile: one of the files is damaged.
    """
    aside = _other_sheet(files, open_chunk(files.chunk, files.path)).turn(number)
    return aside.message if aside else None


def next_answer(files: ChunkFiles, number: int) -> int:
    """The next free answer number of a turn; numbers are never used twice.

    Raises:
        NoSuchTurn: the chunk does not have that turn.
        BadFile: one of the files is damaged.
    """
    return max((answer.number for answer in answers(files, number)), default=0) + 1


def add_answer(
    files: ChunkFiles, number: int, replies: Sequence[Reply], *, shown: bool = True
) -> ChunkFiles:
    """Add another answer to a turn.

    Args:
        files: the chunk and its alternatives.
        number: the turn.
        replies: the answer; their ``answer`` is set to the next number.
        shown: whether it is the chosen one from now on; the one before joins the alternatives.

    Raises:
        NoSuchTurn: the chunk does not have that turn.
        BadFile: one of the files is damaged.
    """
    if not replies:
        raise ValueError("an answer without a reply")
    fresh = next_answer(files, number)
    new = tuple(replace(reply, answer=fresh) for reply in replies)
    sheet = open_chunk(files.chunk, files.path)
    turn = _wanted(sheet, number, files.path)
    other = _other_sheet(files, sheet)
    if not shown and turn.replies:
        return _files(files, sheet, with_alternatives(other, number, new))
    other = with_alternatives(other, number, turn.replies)
    return _files(files, sheet.with_turn(replace(turn, replies=new)), other)


def with_alternatives(other: EditableChunk, number: int, replies: Sequence[Reply]) -> EditableChunk:
    """An alternatives file with more replies to a turn, in number order."""
    if not replies:
        return other
    there = other.turn(number) or Turn(number, None, tuple(replies[:1]))
    kept = there.replies if other.turn(number) else ()
    ordered = sorted([*kept, *replies], key=lambda reply: reply.answer)
    return other.with_turn(replace(there, replies=tuple(ordered)))


def choose_answer(files: ChunkFiles, number: int, answer: int) -> ChunkFiles:
    """Show another answer to a turn; both answers keep their numbers.

    Raises:
        NoSuchTurn: the chunk does not have that turn.
        NoSuchAnswer: the turn has no answer of that number.
        BadFile: one of the files is damaged.
    """
    sheet = open_chunk(files.chunk, files.path)
    turn = _wanted(sheet, number, files.path)
    if turn.replies and all(reply.answer == answer for reply in turn.replies):
        return files
    other = _other_sheet(files, sheet)
    aside = other.turn(number)
    pool = (*turn.replies, *(aside.replies if aside else ()))
    chosen = tuple(reply for reply in pool if reply.answer == answer)
    if not chosen:
        raise NoSuchAnswer(
            f"turn {number} has no answer {answer}",
            "nothing was changed",
            "perdure alternatives lists them",
        )
    rest = [reply for reply in pool if reply.answer != answer]
    message = aside.message if aside else None
    other = other.without(number)
    if message is not None:
        other = other.with_turn(Turn(number, message))
    other = with_alternatives(other, number, rest)
    return _files(files, sheet.with_turn(replace(turn, replies=chosen)), other)


def edit_message(files: ChunkFiles, number: int, text: str) -> ChunkFiles:
    """Correct the user's words in a turn.

    Raises:
        NoSuchTurn: the chunk does not have that turn, or the user said nothing in it.
        BadFile: the chunk is damaged.
    """
    sheet = open_chunk(files.chunk, files.path)
    turn = _wanted(sheet, number, files.path)
    if turn.message is None:
        raise NoSuchTurn(f"turn {number} has no message from you", "nothing was changed")
    edited = replace(turn, message=replace(turn.message, text=text))
    return replace(files, chunk=sheet.with_turn(edited).render())


def edit_reply(
    files: ChunkFiles, number: int, text: str, *, answer: int | None = None
) -> ChunkFiles:
    """Correct the words of a reply.

    Args:
        files: the chunk and its alternatives.
        number: the turn.
        text: the words as they shall be.
        answer: which answer; the shown one without.

    Raises:
        NoSuchTurn: the chunk does not have that turn.
        NoSuchAnswer: the turn has no such reply.
        BadFile: one of the files is damaged.
    """
    sheet = open_chunk(files.chunk, files.path)
    turn = _wanted(sheet, number, files.path)
    edited = _with_text(turn, answer, text)
    if edited is not None:
        return replace(files, chunk=sheet.with_turn(edited).render())
    if answer is not None and files.alternatives is not None:
        other = _other_sheet(files, sheet)
        aside = other.turn(number)
        edited = _with_text(aside, answer, text) if aside else None
        if edited is not None:
            return replace(files, alternatives=other.with_turn(edited).render())
    raise NoSuchAnswer(f"turn {number} has no such reply", "nothing was changed")


def _with_text(turn: Turn, answer: int | None, text: str) -> Turn | None:
    for place, reply in enumerate(turn.replies):
        if answer in {None, reply.answer}:
            edited = (*turn.replies[:place], replace(reply, text=text), *turn.replies[place + 1 :])
            return replace(turn, replies=edited)
    return None
