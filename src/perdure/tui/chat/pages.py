"""The committed history as pages of blocks for the transcript."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from perdure.tui.transcript.blocks import Block, chunk_blocks

if TYPE_CHECKING:
    from perdure.companion.ids import ConversationId, TurnId
    from perdure.snapshot.conversation.transcript import Transcript

_CHUNK_BYTES = 16 * 1024
_LAST_SHARE = 0.35
"""How full the last chunk of a conversation is taken to be."""


class History:
    """Reads chunks as pages. Nothing is read before it is asked for."""

    def __init__(self, transcript: Transcript, rehearsals: frozenset[str]) -> None:
        self._transcript = transcript
        self._rehearsals = rehearsals
        self._conversations = list(transcript.conversations())
        self._places = {one.id: one for one in self._conversations}
        self._starts = {one.first_chunk for one in self._conversations}

    @property
    def conversations(self) -> list[ConversationId]:
        """All conversations, oldest first."""
        return [one.id for one in self._conversations]

    @property
    def pages(self) -> int:
        """Chunks."""
        return len(self._transcript.chunks)

    def page(self, number: int) -> Sequence[Block]:
        """The blocks of one chunk."""
        ref = self._transcript.chunks[number]
        opening = self.title(ref.conversation) if number in self._starts else None
        day = None
        if opening is None and number:
            day = _folder_day(self._transcript.chunks[number - 1].path)
        return chunk_blocks(
            ref.conversation,
            self._transcript.turns(number),
            opening=opening,
            day=day,
            path=ref.path,
            troubles=self._transcript.troubles(number),
            beside=self._transcript.marks(number),
            rehearsals=self._rehearsals,
        )

    def estimates(self, text_width: int) -> list[int]:
        """Rows that each chunk will probably take at a width of the text column."""
        full = max(8, round(_CHUNK_BYTES * 1.25 / max(20, text_width)))
        last = max(8, round(full * _LAST_SHARE))
        final = {one.first_chunk + one.chunk_count - 1 for one in self._conversations}
        return [last if number in final else full for number in range(self.pages)]

    def title(self, conversation: ConversationId) -> str:
        """What a conversation is called; empty without a title."""
        place = self._places.get(conversation)
        return self._transcript.title(place) if place is not None else ""

    def first_page(self, conversation: ConversationId) -> int | None:
        """The page on which a conversation begins."""
        place = self._places.get(conversation)
        return place.first_chunk if place is not None else None

    def page_of(self, turn: TurnId) -> int | None:
        """The page that a turn is on; reads a few pages of its conversation."""
        place = self._places.get(turn.conversation)
        if place is None:
            return None
        low, high = place.first_chunk, place.first_chunk + place.chunk_count - 1
        while low < high:
            middle = (low + high + 1) // 2
            turns = self._transcript.turns(middle)
            if not turns:
                break  # nothing of it could be read, so it cannot say where to go on
            if turns[0].number <= turn.number:
                low = middle
            else:
                high = middle - 1
        for page in range(low, high + 1):
            if any(each.number == turn.number for each in self._transcript.turns(page)):
                return page
        return None

    def neighbour(self, page: int, direction: int) -> int | None:
        """The first page of the conversation after (1) or before (-1) the one of a page."""
        starts = sorted(self._starts)
        if direction > 0:
            return next((start for start in starts if start > page), None)
        return next((start for start in reversed(starts) if start < page), None)

    def last(self) -> tuple[ConversationId | None, date | None]:
        """The newest conversation, and the day of its newest chunk's folder."""
        if not self._transcript.chunks:
            return None, None
        ref = self._transcript.chunks[-1]
        return ref.conversation, _folder_day(ref.path)


def _folder_day(path: str) -> date | None:
    """The day of ``conversations/YYYY-MM/DD/…``."""
    try:
        _, month, day, _ = path.split("/", 3)
        return date.fromisoformat(f"{month}-{day}")
    except ValueError:
        return None
