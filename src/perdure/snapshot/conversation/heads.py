"""The ends of the lines that were merged since the last turn: what a conversation continues.

A pull of another machine, and a merge of a branch, bring a second line beside the one that
goes on. Until the first turn after that, the conversation stands at the end of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from perdure.companion.conversation.split import WAS
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Turn
from perdure.git.errors import HistoryError
from perdure.git.refs.ancestry import Reach
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.snapshot.conversation.merged_thread import is_behind
from perdure.snapshot.conversation.trailers import parse_trailers
from perdure.snapshot.conversation.transcript import Transcript, last_turn, newest_time

_LOOKED_AT = 200
"""Commits that are looked at, all lines together."""


@dataclass(frozen=True, slots=True)
class LineEnd:
    """The last turn of a line."""

    id: TurnId
    turn: Turn

    @property
    def said_at(self) -> float:
        """When its last word was said, in seconds since 1970; 0 where that is not known."""
        at = newest_time(self.turn)
        return at.timestamp() if at is not None else 0.0


def open_ends(
    repo: Repository, transcript: Transcript, tip: str, pause: timedelta
) -> tuple[LineEnd, ...]:
    """The ends of the lines that were merged since the last turn, the newest first.

    None where no lines met, and where all that met leads to one turn.

    Args:
        repo: the repository.
        transcript: the life as of the tip.
        tip: id of the branch's commit.
        pause: how long nothing is said where a conversation has ended.
    """
    found = list(_said_below(repo, transcript, tip))
    if len(found) < 2:
        return ()
    ends = {
        end.id: end
        for said in found
        if not any(_is_past(repo, said, each) for each in found if each is not said)
        and (end := _end(repo, transcript, said)) is not None
    }
    apart = [
        end
        for end in ends.values()
        if not any(is_behind(transcript, end.id, other) for other in ends if other != end.id)
    ]
    apart.sort(key=lambda end: (-end.said_at, str(end.id)))
    if found[0].moved:
        # A commit that was only amended is no line: what was said long before it has ended.
        apart = [end for end in apart if end.said_at > apart[0].said_at - pause.total_seconds()]
    return tuple(apart) if len(apart) > 1 else ()


# By commits


@dataclass(frozen=True, slots=True)
class _Said:
    """A turn, and the commit that brought it."""

    commit: str
    turn: TurnId
    moved: bool
    """Whether git has written the commit anew: what is below it need not be its past."""


def _said_below(repo: Repository, transcript: Transcript, tip: str) -> Iterator[_Said]:
    """The last turn of each line below a commit, among the turns that are still there."""
    waiting, seen, left = [tip], set[str](), _LOOKED_AT
    while waiting:
        here: str | None = waiting.pop()
        was_moved = False
        while here is not None and here not in seen and left:
            seen.add(here)
            left -= 1
            try:
                info, parents = repo.commit_info(here), repo.commits.parents(here)
            except HistoryError:  # a hole in the history: nothing is known of this line
                break
            if len(parents) > 1:
                waiting += () if was_moved else reversed(parents)
                break
            turn = _brought(transcript, info)
            # git rebase has put one line behind another, whose end is below the moved commits.
            moved = info.committer != info.author
            if turn is not None and not (was_moved and moved):
                yield _Said(info.id, turn, moved)
                was_moved = moved and not was_moved
                if not was_moved:
                    break
            here = parents[0] if parents else None


def _is_past(repo: Repository, said: _Said, later: _Said) -> bool:
    """Whether a turn is in another one's past."""
    if later.moved:
        return False
    reach = Reach(repo.commit_info, repo.commits.shallow_ends())
    try:
        return reach.is_ancestor(said.commit, later.commit)
    except HistoryError:  # a hole in the history; lines of turns tell it too
        return False


def _brought(transcript: Transcript, info: CommitInfo) -> TurnId | None:
    """The turn that a commit brought; None where it brought none, or the turn was taken back."""
    facts = parse_trailers(info.trailers)
    if facts is None or facts.answer or not info.subject.startswith("turn: "):
        return None
    there = transcript.turn(facts.turn) is not None or _written_anew(transcript, facts.turn)
    return facts.turn if there else None


def _end(repo: Repository, transcript: Transcript, said: _Said) -> LineEnd | None:
    """The last turn of the conversation that a turn belongs to."""
    now, then = transcript.turn(said.turn), None
    with suppress(HistoryError):  # a partial clone may lack what stood there
        then = Transcript(repo, said.commit).turn(said.turn)
    identity: ConversationId | None = said.turn.conversation
    if now is None or (then is not None and now.message != then.message):
        identity = _written_anew(transcript, said.turn) or (identity if now is not None else None)
    conversation = transcript.find(identity) if identity is not None else None
    last = last_turn(transcript, conversation) if conversation is not None else None
    return LineEnd(TurnId(conversation.id, last.number), last) if conversation and last else None


def _written_anew(transcript: Transcript, turn: TurnId) -> ConversationId | None:
    """The conversation, under another id, into which a merge has written a turn."""
    for conversation in reversed(transcript.conversations()):
        if conversation.id.day < turn.conversation.day:
            break
        for place in conversation.places:
            for each in transcript.turns(place):
                notes = each.message.notes if each.message is not None else {}
                if str(turn) in notes.get(WAS, "").split():
                    return conversation.id
    return None
