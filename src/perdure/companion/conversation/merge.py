"""Merge two versions of a conversation, turn by turn: never a conflict, never a lost word.

A turn that one side has changed is taken from that side. Where both have:

- a turn edited or answered on both keeps ours; the other's replies become alternatives;
- turns that both sides added after the last common one keep ours in place; the other's are written
  as a conversation of their own that ``continues:`` the last common turn, each with its former id
  in the field ``was``.

Everything is decided from the files alone, so two devices that merge the same come to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from perdure.companion.conversation.chunk import (
    ALTERNATIVES,
    CONVERSATIONS,
    parse_chunk_path,
    parse_chunks,
    render_head,
)
from perdure.companion.conversation.edit import (
    EditableChunk,
    alternatives_path,
    open_chunk,
    with_alternatives,
)
from perdure.companion.conversation.split import SplitOff, free_number, split_off, with_number
from perdure.companion.errors import BadFile
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Message, Reply, Turn

_GOES_ON = re.compile(rb"^(?:continues|joins): .*$", re.MULTILINE)
_TURN = re.compile(rb"[0-9]{4}(?:-[0-9]{2}){2}-[0-9]{4}-[0-9a-f]{8}/[0-9]{1,9}")


class Versions(Protocol):
    """One file in the common past, on our side and on theirs; None: not there."""

    @property
    def path(self) -> str: ...
    @property
    def base(self) -> bytes | None: ...
    @property
    def ours(self) -> bytes | None: ...
    @property
    def theirs(self) -> bytes | None: ...


def is_chunk(path: str) -> bool:
    """Whether `merge_conversations` handles this path."""
    return parse_chunk_path(path) is not None


def merge_conversations(
    files: Iterable[Versions], read: Callable[[str], Versions]
) -> dict[str, bytes | None]:
    """Merge chunks and alternatives.

    Args:
        files: every path of conversations and alternatives that the two sides have differently,
            of all conversations at once.
        read: the versions of any other path; a chunk is merged together with its alternatives,
            also where the two sides have one of the two alike.

    Returns:
        Per path its content in the merge, None: it goes. Paths may come that neither side had.
    """
    result: dict[str, bytes | None] = {}
    moved: dict[TurnId, TurnId] = {}
    groups: dict[ConversationId, list[Versions]] = {}
    for file in files:
        named = parse_chunk_path(file.path)
        if named is None:
            raise ValueError(f"not a chunk: {file.path}")
        groups.setdefault(named[0], []).append(file)
    only_theirs: list[str] = []
    for conversation, group in sorted(groups.items()):
        group.sort(key=lambda file: file.path)
        is_ours = any(file.ours != file.base for file in group)
        is_theirs = any(file.theirs != file.base for file in group)
        if is_ours and is_theirs:
            merge = _Conversation(conversation, _with_twins(group, read))
            result.update(merge.merge())
            moved.update(merge.moved)
        else:
            result.update({f.path: f.theirs if is_theirs else f.ours for f in group})
            only_theirs.extend(f.path for f in group if is_theirs)
    for path in only_theirs:
        result[path] = _following(result[path], moved)
    return result


def _with_twins(group: Sequence[Versions], read: Callable[[str], Versions]) -> list[Versions]:
    """Pair each chunk with its alternatives file, and the other way round."""
    found = {file.path: file for file in group}
    for file in group:
        is_aside = file.path.startswith(f"{ALTERNATIVES}/")
        twin = (
            file.path.replace(ALTERNATIVES, CONVERSATIONS, 1)
            if is_aside
            else alternatives_path(file.path)
        )
        if twin not in found:
            found[twin] = read(twin)
    return [found[path] for path in sorted(found)]


def _following(data: bytes | None, moved: dict[TurnId, TurnId]) -> bytes | None:
    """One of their chunks that continues from a turn whose id has changed."""
    if data is None or not moved or not data.startswith(b"---\n"):
        return data
    end = data.find(b"\n---\n", 3)
    front = data[: end + 1]
    known = {str(old).encode(): str(new).encode() for old, new in moved.items()}

    def follow(line: re.Match[bytes]) -> bytes:
        return _TURN.sub(lambda turn: known.get(turn[0], turn[0]), line[0])

    return _GOES_ON.sub(follow, front) + data[end + 1 :]


@dataclass(slots=True)
class _Side:
    """One side's turns of a conversation, and the file each is in."""

    sheets: dict[str, EditableChunk] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    aside: dict[int, list[Reply]] = field(default_factory=dict)
    wordings: dict[int, Message] = field(default_factory=dict)
    """Other wordings of a user's message, which stand among the alternatives."""
    aside_places: dict[int, str] = field(default_factory=dict)

    def replies(self, number: int) -> list[Reply]:
        """Every reply to a turn, shown or not."""
        turn = self.turns.get(number)
        return [*(turn.replies if turn else ()), *self.aside.get(number, ())]


class _Damaged(Exception):
    """One side cannot be split into turns; its words are kept another way."""


def _side(contents: Iterable[tuple[str, bytes | None]]) -> _Side:
    side = _Side()
    for path, data in contents:
        if data is None:
            continue
        try:
            sheet = open_chunk(data, path)
        except BadFile as error:
            raise _Damaged from error
        side.sheets[path] = sheet
        is_aside = path.startswith(f"{ALTERNATIVES}/")
        known = side.aside_places if is_aside else side.places
        for turn in sheet.turns:
            if turn.number in known:
                raise _Damaged
            known[turn.number] = path
            if not is_aside:
                side.turns[turn.number] = turn
                continue
            side.aside[turn.number] = list(turn.replies)
            if turn.message is not None:
                side.wordings[turn.number] = turn.message
    return side


class _Conversation:
    """One conversation that both sides changed."""

    def __init__(self, conversation: ConversationId, files: Sequence[Versions]) -> None:
        self.conversation = conversation
        self.files = files
        self.result: dict[str, bytes | None] = {}
        self.moved: dict[TurnId, TurnId] = {}
        self.turns: dict[int, Turn] = {}
        self.rest: list[Turn] = []
        self.wordings: dict[int, list[Message]] = {}
        self.renamed: dict[int, tuple[Reply, ...]] = {}
        """Shown replies of theirs as they were before they got another number."""

    def merge(self) -> dict[str, bytes | None]:
        """The merged files, by path."""
        try:
            self.base = _side((f.path, f.base) for f in self.files)
            self.ours = _side((f.path, f.ours) for f in self.files)
            self.theirs = _side((f.path, f.theirs) for f in self.files)
        except _Damaged:
            return self._keep_both()
        self._know_again()
        self._merge_turns()
        self._merge_wordings()
        self._renumber_shown()
        self._write_chunks()
        self._write_alternatives()
        if self.rest:
            self._write_apart()
        return self.result

    # Turns

    def _know_again(self) -> None:
        """A turn that both sides added: one turn if the message is the same.

        Where branches were merged across, the common past that git names can be an older one.
        """
        for number in self.ours.turns.keys() & self.theirs.turns.keys() - self.base.turns.keys():
            message = self.ours.turns[number].message
            if message is not None and message == self.theirs.turns[number].message:
                self.base.turns[number] = Turn(number, message)

    def _merge_turns(self) -> None:
        base, ours, theirs = self.base.turns, self.ours.turns, self.theirs.turns
        tail: list[Turn] = []
        for number in sorted(ours.keys() | theirs.keys()):
            b, o, t = base.get(number), ours.get(number), theirs.get(number)
            found: Turn | None
            if t in (o, b):
                found = o
            elif b is None and t is not None:
                tail.append(t)
                found = o
            elif o == b:
                found = t
            elif b is None or o is None or t is None:
                # Taken out on one side and changed on the other: the words stay.
                found = o or t
            else:
                found = self._merge_turn(b, o, t)
            if found is not None:
                self.turns[number] = found
        if any(n not in base and theirs.get(n) != turn for n, turn in ours.items()):
            self.rest = tail
        else:
            self.turns.update({turn.number: turn for turn in tail})

    def _merge_turn(self, b: Turn, o: Turn, t: Turn) -> Turn:
        """A turn that both sides changed; `_write_alternatives` has the hidden replies."""
        message = o.message if t.message in (o.message, b.message) else t.message
        if t.message not in (o.message, b.message) and o.message != b.message:
            message = o.message
            if t.message is not None:
                self.wordings.setdefault(o.number, []).append(t.message)
        replies = t.replies if o.replies == b.replies else o.replies
        if message is None and not replies:
            return o
        return Turn(o.number, message, replies)

    def _merge_wordings(self) -> None:
        """One other wording of a message goes to the alternatives, further ones to a new file."""
        for side in (self.theirs, self.ours):
            for number, message in side.wordings.items():
                other = self.ours if side is self.theirs else self.theirs
                is_kept = other.wordings.get(number) == message
                if is_kept or self.base.wordings.get(number) != message:
                    self.wordings.setdefault(number, []).insert(0, message)
        taken = {turn.number for turn in self.rest}
        for number, messages in sorted(self.wordings.items()):
            shown = self.turns.get(number)
            distinct = [
                message
                for place, message in enumerate(messages)
                if message not in messages[:place] and (not shown or message != shown.message)
            ]
            self.wordings[number] = distinct[:1]
            self.rest.extend(Turn(number, message) for message in distinct[1:])
        if len(taken) != len(self.rest):
            self.rest.sort(key=lambda turn: turn.number)

    def _renumber_shown(self) -> None:
        """Their shown answer when its number belongs to another one of ours."""
        for number, turn in self.turns.items():
            ours = self.ours.replies(number)
            foreign = [reply for reply in turn.replies if reply not in ours]
            known = [reply for reply in ours if reply not in self.base.replies(number)]
            clash = {r.answer for r in foreign} & {r.answer for r in known}
            if not clash:
                continue
            taken = {r.answer for r in (*ours, *self.theirs.replies(number))}
            fresh: dict[int, int] = {}
            for answer in sorted(clash):
                fresh[answer] = free_number(taken)
                taken.add(fresh[answer])
            replies = tuple(
                with_number(r, self.conversation, number, fresh) if r in foreign else r
                for r in turn.replies
            )
            self.renamed[number] = turn.replies
            self.turns[number] = replace(turn, replies=replies)

    # Files

    def _write_chunks(self) -> None:
        placed: dict[str, list[Turn]] = {}
        for number, turn in sorted(self.turns.items()):
            path = self.ours.places.get(number) or self.theirs.places[number]
            placed.setdefault(path, []).append(turn)
        for file in self.files:
            if file.path.startswith(f"{ALTERNATIVES}/"):
                continue
            turns = tuple(placed.get(file.path, ()))
            sheet, data = self._sheet(file)
            if sheet is None or (not turns and sheet.turns):
                self.result[file.path] = None
            elif turns == sheet.turns and data is not None:
                self.result[file.path] = data
            else:
                self.result[file.path] = EditableChunk(sheet.front, sheet.head, turns).render()

    def _sheet(self, file: Versions) -> tuple[EditableChunk | None, bytes | None]:
        """Whose front matter a file gets, and which file that is from."""
        ours, theirs = self.ours.sheets.get(file.path), self.theirs.sheets.get(file.path)
        base = self.base.sheets.get(file.path)
        if ours is None or (base and theirs and ours.front == base.front != theirs.front):
            return theirs, file.theirs
        return ours, file.ours

    def _write_alternatives(self) -> None:
        """Every hidden reply that both sides keep or one side added, by number."""
        sheets: dict[str, EditableChunk] = {}
        numbers = self.base.aside.keys() | self.ours.aside.keys() | self.theirs.aside.keys()
        for number in sorted(numbers | self.turns.keys() | self.wordings.keys()):
            kept = self._kept(number)
            wording = self.wordings.get(number)
            if not kept and not wording:
                continue
            path = self._aside_path(number)
            sheet = sheets.get(path) or self._aside_sheet(path)
            if wording:
                sheet = sheet.with_turn(Turn(number, wording[0]))
            sheets[path] = with_alternatives(sheet, number, kept)
        for file in self.files:
            if file.path.startswith(f"{ALTERNATIVES}/"):
                self.result[file.path] = None
        before = {file.path: file.ours for file in self.files}
        for path, sheet in sheets.items():
            known = self.ours.sheets.get(path)
            is_same = known is not None and known.turns == sheet.turns
            self.result[path] = before[path] if is_same else sheet.render()

    def _kept(self, number: int) -> list[Reply]:
        ours, base = self.ours.replies(number), self.base.replies(number)
        theirs = self.theirs.replies(number)
        shown = self.turns[number].replies if number in self.turns else ()
        shown += self.renamed.get(number, ())
        if any(turn is self.theirs.turns.get(number) for turn in self.rest):
            return [reply for reply in self.ours.aside.get(number, ()) if reply not in shown]
        mine = [r for r in ours if (r in theirs or r not in base) and r not in shown]
        other = [r for r in theirs if r not in ours and r not in base and r not in shown]
        now = self.turns[number].replies if number in self.turns else ()
        used = {reply.answer for reply in (*now, *mine)}
        taken = {reply.answer for reply in (*ours, *theirs, *shown)}
        fresh: dict[int, int] = {}
        for answer in sorted({reply.answer for reply in other}):
            if answer in used:
                fresh[answer] = free_number(taken)
                taken.add(fresh[answer])
        return [*mine, *(with_number(r, self.conversation, number, fresh) for r in other)]

    def _aside_path(self, number: int) -> str:
        for side in (self.ours, self.theirs):
            if number in side.places and number in self.turns:
                return alternatives_path(side.places[number])
            if number in side.aside_places:
                return side.aside_places[number]
        return alternatives_path(self.base.places[number])

    def _aside_sheet(self, path: str) -> EditableChunk:
        known = self.ours.sheets.get(path) or self.theirs.sheets.get(path)
        if known is not None:
            return EditableChunk(known.front, known.head, ())
        chunk = path.replace(ALTERNATIVES, CONVERSATIONS, 1)
        sheet = self.ours.sheets.get(chunk) or self.theirs.sheets[chunk]
        head = sheet.head.aside
        return EditableChunk(render_head(head), head, ())

    # Apart

    def _write_apart(self) -> None:
        first = self.rest[0].number
        common = [n for n in self.turns if n < first and n in self.theirs.turns]
        source = self.theirs.places.get(first) or next(iter(self.theirs.sheets))
        head = self.theirs.sheets[source].head
        apart = SplitOff(
            self.conversation,
            source,
            head,
            TurnId(self.conversation, max(common)) if common else head.continues,
            {turn.number: tuple(self.theirs.aside.get(turn.number, ())) for turn in self.rest},
            () if common else head.joins,
        )
        files, moved = split_off(apart, self.rest)
        self.result.update(files)
        self.moved.update(moved)

    def _keep_both(self) -> dict[str, bytes | None]:
        """A damaged side is never rewritten: our file stays, and words it lacks go to a new one."""
        rest: list[Turn] = []
        source = ""
        for file in self.files:
            if file.theirs is None or file.theirs in (file.ours, file.base):
                self.result[file.path] = file.ours
            elif file.ours is None or file.ours == file.base:
                self.result[file.path] = file.theirs
            else:
                self.result[file.path] = file.ours
                known = _texts(file.ours) | (_texts(file.base) if file.base else set())
                for chunk in parse_chunks(file.theirs, file.path):
                    rest.extend(t for t in chunk.turns if _said(t) - known)
                source = source or file.path
        if rest:
            theirs = next(f.theirs for f in self.files if f.path == source)
            head = parse_chunks(theirs or b"", source)[0].head
            last = TurnId(self.conversation, rest[0].number)
            files, _ = split_off(SplitOff(self.conversation, source, head, last, {}), rest)
            self.result.update(files)
        return self.result


def _said(turn: Turn) -> set[str]:
    texts = {reply.text for reply in turn.replies}
    return texts | {turn.message.text} if turn.message is not None else texts


def _texts(data: bytes) -> set[str]:
    return {text for chunk in parse_chunks(data) for turn in chunk.turns for text in _said(turn)}
