"""All conversations of a branch: names are read first, a chunk's text only when it is asked for."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from perdure.companion.conversation.chunk import CHUNK_FILE_LIMIT, parse_chunk_path, parse_chunks
from perdure.companion.conversation.edit import alternatives_path
from perdure.companion.errors import CompanionProblem, Trouble
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.aside import ASIDE_FOLDER as ASIDES
from perdure.companion.turns import Chunk, ChunkHead, Turn
from perdure.git.repository.repository import Repository
from perdure.snapshot.excluded import Excluded, read_excluded

_KEPT_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """A chunk as the tree names it."""

    path: str
    oid: str
    conversation: ConversationId
    number: int


@dataclass(frozen=True, slots=True)
class ConversationRef:
    """A conversation and its chunks' places in `Transcript.chunks`."""

    id: ConversationId
    first_chunk: int
    chunk_count: int

    @property
    def places(self) -> range:
        """The places of its chunks, the first first."""
        return range(self.first_chunk, self.first_chunk + self.chunk_count)


class Transcript:
    """All chunks as of a commit, oldest conversation first.

    Only folder listings are read up front. Parsed chunks are kept by blob id, so a refresh after a
    commit reads again just what changed.
    """

    def __init__(self, repo: Repository, rev: str | None) -> None:
        self._repo = repo
        self.rev = rev
        """The revision that was read; None is HEAD."""
        self._parsed: OrderedDict[str, tuple[Chunk, ...]] = OrderedDict()
        self._excluded = Excluded()
        self._asides_of: str | None = None
        self.chunks: tuple[ChunkRef, ...] = ()
        self._folder: str | None = None
        self._by_id: dict[ConversationId, ConversationRef] = {}
        self.refresh()

    def refresh(self, rev: str | None = None) -> None:
        """Go to ``rev`` if that is given; chunks are listed again only where one changed."""
        self.rev = rev or self.rev
        commit = self._repo.head().commit if self.rev is None else self._repo.resolve(self.rev)
        folder = self._repo.folder_oid("conversations", commit) if commit else None
        if folder == self._folder:
            return
        before = {ref.path: ref for ref in self.chunks}
        found = []
        for entry in self._repo.files("conversations", commit) if folder else ():
            ref = before.get(entry.path)
            if ref is not None and ref.oid == entry.oid:
                found.append(ref)
            elif (named := parse_chunk_path(entry.path)) is not None:
                found.append(ChunkRef(entry.path, entry.oid, *named))
        started = self._starts(found)
        self.chunks = tuple(
            sorted(
                found,
                key=lambda ref: (
                    ref.conversation.minute,
                    started.get(ref.conversation.text, ("", False)),
                    ref.conversation.text,
                    ref.number,
                ),
            )
        )
        self._by_id = _conversations(self.chunks)
        self._folder = folder

    def _starts(self, found: list[ChunkRef]) -> dict[str, tuple[str, int]]:
        """Exact starts of conversations that began within the same minute, which ids do not order.

        Within one second, one that goes on from another comes after it.
        """
        first = [ref for ref in found if ref.number == 1]
        shared = Counter(ref.conversation.minute for ref in first)
        heads = {
            ref.conversation.text: self._parse(ref)[0].head
            for ref in first
            if shared[ref.conversation.minute] > 1
        }
        return {
            text: (head.started.isoformat() if head.started else "", _steps_back(head, heads))
            for text, head in heads.items()
        }

    def parsed(self, index: int) -> tuple[Chunk, ...]:
        """Parse a chunk: usually one, several where somebody has joined files."""
        return self._parse(self.chunks[index])

    def _parse(self, ref: ChunkRef) -> tuple[Chunk, ...]:
        kept = self._parsed.get(ref.oid)
        if kept is None:
            data = self._repo.small(ref.oid, CHUNK_FILE_LIMIT)
            kept = tuple(parse_chunks(data, path=ref.path))
            if not data:
                kept = tuple(replace(chunk, troubles=_unread(self._repo, ref)) for chunk in kept)
            self._parsed[ref.oid] = kept
            if len(self._parsed) > _KEPT_CHUNKS:
                self._parsed.popitem(last=False)
        self._parsed.move_to_end(ref.oid)
        return kept

    def turns(self, index: int) -> tuple[Turn, ...]:
        """The turns of a chunk as far as they could be read."""
        return tuple(turn for chunk in self.parsed(index) for turn in chunk.turns)

    def troubles(self, index: int) -> tuple[Trouble, ...]:
        """What is wrong with the chunk; lines count from 1 in the file."""
        return tuple(trouble for chunk in self.parsed(index) for trouble in chunk.troubles)

    def marks(self, index: int) -> TurnMarks:
        """What belongs to the turns of a chunk: other answers, and which turns are excluded."""
        conversation, turns = self.chunks[index].conversation, self.turns(index)
        folder = self._repo.folder_oid(ASIDES, self.rev)
        if folder != self._asides_of:
            self._asides_of, self._excluded = folder, read_excluded(self._repo, self.rev)
        others = self._other_answers(alternatives_path(self.chunks[index].path))
        found = {}
        for turn in turns:
            stands = turn.replies[0].answer if turn.replies else 0
            every = sorted(others.get(turn.number, set()) | ({stands} if stands else set()))
            if stands and len(every) > 1:
                found[turn.number] = (every.index(stands) + 1, len(every))
        numbers = (turn.number for turn in turns)
        aside = frozenset(n for n in numbers if TurnId(conversation, n) in self._excluded)
        return TurnMarks(found, aside)

    def _other_answers(self, path: str) -> dict[int, set[int]]:
        """The answers in a file of alternatives, by turn; none where it cannot be read."""
        others: dict[int, set[int]] = {}
        oid = self._repo.oid(path, self.rev)
        if oid is not None:
            with suppress(CompanionProblem):
                for chunk in parse_chunks(self._repo.small(oid, CHUNK_FILE_LIMIT), path=path):
                    for turn in chunk.turns:
                        numbers = others.setdefault(turn.number, set())
                        numbers.update(reply.answer for reply in turn.replies)
        return others

    def head(self, index: int) -> ChunkHead | None:
        """The front matter, or None where it could not be read."""
        chunks = self.parsed(index)
        return chunks[0].head if chunks else None

    def conversations(self) -> list[ConversationRef]:
        """Conversations by start, oldest first."""
        return list(self._by_id.values())

    def title(self, conversation: ConversationRef) -> str:
        """The title of a conversation; empty where it has none."""
        head = self.head(conversation.first_chunk)
        return head.title if head else ""

    def last_conversation(self) -> ConversationRef | None:
        """The newest conversation; reads no chunk."""
        return self._by_id[self.chunks[-1].conversation] if self.chunks else None

    def find(self, identity: ConversationId) -> ConversationRef | None:
        """A conversation by id; reads no chunk."""
        return self._by_id.get(identity)

    def turn(self, turn_id: TurnId) -> Turn | None:
        """One turn by its id, or None."""
        conversation = self.find(turn_id.conversation)
        if conversation is None:
            return None
        turns = (turn for place in conversation.places for turn in self.turns(place))
        return next((turn for turn in turns if turn.number == turn_id.number), None)

    def turns_to(self, conversation: ConversationRef, number: int, most: int) -> list[Turn]:
        """The last turns of a conversation up to a number, oldest first, ``most`` at most."""
        found: list[Turn] = []
        for place in reversed(conversation.places):
            if len(found) >= most:
                break
            found[:0] = [turn for turn in self.turns(place) if turn.number <= number]
        return found[-most:]


def _unread(repo: Repository, ref: ChunkRef) -> tuple[Trouble, ...]:
    """Why a chunk has no turns: it is empty, or too large to be read."""
    size = repo.size(ref.oid)
    limit = CHUNK_FILE_LIMIT >> 20
    too_large = f"larger than {limit} MiB: not read; its {size >> 20} MiB stay in git as they are"
    return (Trouble(1, too_large if size else "the file is empty"),)


def _steps_back(head: ChunkHead, heads: Mapping[str, ChunkHead]) -> int:
    """How many of these conversations one continues, directly or through another of them."""
    seen: set[str] = set()
    waiting = [head]
    while waiting:
        for end in waiting.pop().ends:
            name = end.conversation.text
            if name in heads and name not in seen:
                seen.add(name)
                waiting.append(heads[name])
    return len(seen)


def _conversations(chunks: Sequence[ChunkRef]) -> dict[ConversationId, ConversationRef]:
    """The conversations that chunks belong to, in their order."""
    found = {}
    for identity, group in groupby(enumerate(chunks), key=lambda pair: pair[1].conversation):
        places = [place for place, _ in group]
        found[identity] = ConversationRef(identity, places[0], len(places))
    return found


def read_turns(repo: Repository, rev: str, wanted: Sequence[TurnId]) -> dict[TurnId, Turn]:
    """Read turns by id as of a commit; those that it lacks are left out."""
    if not wanted:
        return {}
    transcript = Transcript(repo, rev)
    found = {turn: transcript.turn(turn) for turn in dict.fromkeys(wanted)}
    return {turn: said for turn, said in found.items() if said is not None}


def newest_time(turn: Turn) -> datetime | None:
    """When the last word of a turn was said."""
    times = [reply.at for reply in turn.replies if reply.at is not None]
    if turn.message is not None and turn.message.at is not None:
        times.append(turn.message.at)
    return max(times, default=None)


def last_turn(transcript: Transcript, conversation: ConversationRef) -> Turn | None:
    """The last turn of a conversation that can be read."""
    there = filter(None, map(transcript.turns, reversed(conversation.places)))
    return next((turns[-1] for turns in there), None)


@dataclass(frozen=True, slots=True)
class TurnMarks:
    """Other answers and excluded turns of one chunk.

    Attributes:
        answers: by turn number, the place of the answer that stands among all, from 1, and how many
            there are; only of turns with more than one.
        aside: numbers of turns that are kept out of prompts.
    """

    answers: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    aside: frozenset[int] = frozenset()
