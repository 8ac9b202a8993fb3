"""Changing a turn where it stands: other answers, the choice among them, corrected words.

Any session may do that, also while another one appends to the conversation: the files are changed
as they are at the tip, and the commit lands only if they still are when the branch moves. Who held
a lease on the chunk keeps it; anybody else finds the chunk changed, and goes on in a conversation
that ``continues:``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from perdure.actions.lease import ConversationLease
from perdure.actions.turns.location import Location
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.companion.conversation.edit import ChunkFiles, alternatives_path
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.errors import TipMoved
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.errors import UnknownTurn

_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn in its files as of a commit.

    Attributes:
        location: its chunk; ``number`` is the turn's own.
        turn: the turn as it stands.
        files: the chunk and its alternatives.
        oids: their blobs; None: not there.
        is_last: it is the last turn of its conversation.
    """

    location: Location
    turn: Turn
    files: ChunkFiles
    oids: Mapping[str, str | None]
    is_last: bool

    @property
    def turn_id(self) -> TurnId:
        return self.location.turn_id


@dataclass(frozen=True, slots=True)
class ChunkEdit:
    """What becomes of the files, and the commit's message, from its parent."""

    files: ChunkFiles
    message: Callable[[str | None], str]


def find_stored_turn(
    repo: Repository, transcript: Transcript, turn_id: TurnId
) -> StoredTurn | None:
    """Where a turn stands; None where it does not."""
    conversation = transcript.find(turn_id.conversation)
    if conversation is None:
        return None
    after = False
    for index in reversed(conversation.places):
        turns = transcript.turns(index)
        found = next((turn for turn in turns if turn.number == turn_id.number), None)
        head = transcript.head(index)
        if found is None or head is None:
            after = after or bool(turns)
            continue
        ref = transcript.chunks[index]
        other = alternatives_path(ref.path)
        entry = repo.oid(other, transcript.rev)
        content = repo.blob(ref.oid)
        return StoredTurn(
            Location(head, ref.path, ref.oid, content, turn_id.number, begins=False),
            found,
            ChunkFiles(ref.path, content, repo.blob(entry) if entry else None),
            {ref.path: ref.oid, other: entry},
            not after and turns[-1] is found,
        )
    return None


def rewrite_here(
    workspace: Workspace,
    turn_id: TurnId,
    make: Callable[[StoredTurn], ChunkEdit],
    author: Author | None = None,
) -> str:
    """`rewrite` on the branch that is checked out, by the human where nobody else is named."""
    with workspace.leased() as lease:
        by, branch = author or workspace.author, workspace.branch
        write = partial(workspace.repo.commit, author=by, branch=branch, at=now())
        return rewrite(workspace.repo, lease, turn_id, make, write, branch=branch)


def rewrite(
    repo: Repository,
    lease: ConversationLease,
    turn_id: TurnId,
    make: Callable[[StoredTurn], ChunkEdit],
    write: Callable[..., str],
    *,
    branch: str,
    start: str | None = None,
) -> str:
    """Change a turn's files on a branch; the commit's id.

    Args:
        repo: the repository.
        lease: follows to what is written.
        turn_id: the turn.
        make: from the turn as it stands to the files afterwards; called again where somebody else
            was quicker.
        write: `Repository.commit`, with author, time and branch filled in.
        branch: the branch.
        start: the commit that the branch begins at, where it is not there yet.

    Raises:
        UnknownTurn: the branch has no such turn.
        CompanionProblem: what ``make`` raises; nothing was changed.
        TipMoved: others change the chunk all the time, or an open merge has staged it.
        HistoryError: nothing was changed.
    """
    for attempt in range(_ATTEMPTS):
        transcript = Transcript(repo, start or repo.resolve(f"refs/heads/{branch}"))
        stored = find_stored_turn(repo, transcript, turn_id)
        if stored is None:
            raise UnknownTurn(f"{branch} has no turn {turn_id}.", kept="Nothing was changed")
        made = make(stored)
        path, other = stored.files.path, alternatives_path(stored.files.path)
        contents = {path: made.files.chunk, other: made.files.alternatives}
        before = {path: stored.files.chunk, other: stored.files.alternatives}
        held = lease.acquire(str(turn_id.conversation))
        fits = held is not None and held.matches(branch, path, stored.oids[path])
        try:
            changes = [Change(p, data) for p, data in contents.items() if data != before[p]]
            commit = write(changes, message=made.message, expect=stored.oids)
        except TipMoved:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        oid = repo.oid(path, commit)
        if held is not None and fits and oid is not None:
            held.renew(branch, path, oid)
        return commit
    raise AssertionError
