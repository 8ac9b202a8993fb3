"""What people call a turn: ``@``, ``@-3``, ``7``, part of an id, or a date."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from perdure.companion.ids import TurnId
from perdure.companion.names import title_from
from perdure.companion.turns import Turn
from perdure.snapshot.conversation.newest_turns import NeedsTranscript, turn_back
from perdure.snapshot.errors import UnknownTurn

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.snapshot.conversation.transcript import Transcript

_BACK = re.compile(r"@(?:-(\d{1,6}))?")
_NUMBER = re.compile(r"\d{1,6}")
_PIECE = re.compile(r"([0-9a-f-]{4,24})(?:/(\d{1,6}))?(?:~\d+)?")


def find_turn_at(
    repo: Repository, rev: str, name: str, progress: Callable[[int, int], None] | None = None
) -> TurnId | None:
    """Find a turn by its name as of a commit, one counted back without listing them all.

    Args:
        repo: the repository.
        rev: id of the commit.
        name: as `find_turn` takes it.
        progress: called while an index of the history is made.

    Raises:
        UnknownTurn: as `find_turn` raises it.
    """
    from perdure.snapshot.conversation.transcript import Transcript

    back = _BACK.fullmatch(name)
    try:
        found = turn_back(repo, rev, int(back[1] or 0), progress) if back else None
    except NeedsTranscript:
        found = None
    return found or find_turn(Transcript(repo, rev), name)


def find_turn(transcript: Transcript, name: str) -> TurnId | None:
    """The turn that ``name`` means; None where it names something else, as a branch or a commit.

    Raises:
        UnknownTurn: it has the form of a turn's name, but no or several turns answer to it.
    """
    back = _BACK.fullmatch(name)
    if back:
        return _counted_back(transcript, int(back[1] or 0))
    if _NUMBER.fullmatch(name) and len(name) <= 4:
        return _in_last_conversation(transcript, int(name))
    try:
        return _on_day(transcript, date.fromisoformat(name))
    except ValueError:
        pass
    piece = _PIECE.fullmatch(name)
    return _by_piece(transcript, piece[1], piece[2]) if piece else None


def _counted_back(transcript: Transcript, back: int) -> TurnId:
    for index in range(len(transcript.chunks) - 1, -1, -1):
        turns = transcript.turns(index)
        if back < len(turns):
            return TurnId(transcript.chunks[index].conversation, turns[-1 - back].number)
        back -= len(turns)
    if not transcript.chunks:
        raise UnknownTurn("nothing has been said yet.", next_step="Say something: perdure say TEXT")
    raise UnknownTurn(
        "the history does not go back that far.", next_step="perdure log --turns --all lists it"
    )


def _in_last_conversation(transcript: Transcript, number: int) -> TurnId:
    last = transcript.last_conversation()
    turn = TurnId(last.id, number) if last is not None else None
    if turn is None or transcript.turn(turn) is None:
        raise UnknownTurn(
            f"the last conversation has no turn {number}.",
            next_step=f"For an earlier one, add a piece of its id, such as 9f3a77c0/{number}",
        )
    return turn


def _on_day(transcript: Transcript, day: date) -> TurnId:
    folder = f"conversations/{day:%Y-%m}/{day:%d}/"
    for index, ref in enumerate(transcript.chunks):
        if ref.path.startswith(folder):
            turns = transcript.turns(index)
            if turns:
                return TurnId(ref.conversation, turns[0].number)
    raise UnknownTurn(f"nothing was said on {day}.")


def _by_piece(transcript: Transcript, piece: str, number: str | None) -> TurnId | None:
    found = [c for c in transcript.conversations() if piece in c.id.text]
    if not found:
        return None
    if len(found) > 1:
        raise UnknownTurn(
            f"{len(found)} conversations answer to {piece!r}.",
            next_step=f"Give more of the id, such as {found[-1].id}",
        )
    wanted = TurnId(found[0].id, int(number)) if number is not None else None
    if wanted is None:
        turns = transcript.turns(found[0].first_chunk)
        return TurnId(found[0].id, turns[0].number) if turns else None
    if transcript.turn(wanted) is None:
        raise UnknownTurn(f"conversation {found[0].id} has no turn {number}.")
    return wanted


def name_turn(transcript: Transcript, name: str) -> TurnId:
    """The turn that a name means. Raises UnknownTurn."""
    turn = find_turn(transcript, name.strip())
    if turn is None:
        raise UnknownTurn(
            f"{name!r} is not a turn here.",
            next_step="Give @ (the last one), @-3, a number in the last conversation, or an id",
        )
    return turn


def first_words(turn: Turn, cells: int = 48) -> str:
    """The first words of a turn."""
    return title_from((turn.message or turn.replies[0]).text, cells)
