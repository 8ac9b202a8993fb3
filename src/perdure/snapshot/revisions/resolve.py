"""What people write for a commit: a revision, a date, a turn."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.errors import UnknownRevision
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.snapshot.conversation.turn_commits import commit_of_turn
from perdure.snapshot.conversation.turn_names import find_turn_at
from perdure.snapshot.errors import NoRevision, UnknownTurn

if TYPE_CHECKING:
    from perdure.snapshot.revisions.dates import Span

_TURN_FIRST = re.compile(r"@(-\d{1,6})?")


def resolve_revision(
    repo: Repository,
    text: str,
    branch: str | None,
    now: datetime,
    progress: Progress | None = None,
) -> str:
    """Find the id of the commit that a revision, a date or a turn names.

    Tried in this order: ``@`` and ``@-3`` (turns); a branch, tag, ``HEAD~2``, the start of an id; a
    date; a turn's id, a piece of it, a number of the last conversation. A date means the state in
    which that day, or that minute, ended: the commit at which the branch then stood, down its first
    parents by the time of committing.

    Args:
        repo: the repository.
        text: what somebody wrote.
        branch: whose history dates and turns are looked for in; HEAD's without one.
        now: the present moment, aware; days are those of the system's time zone.
        progress: called while an index of the history is made, which the first date or turn needs.

    Raises:
        NoRevision: it names nothing here; says what would be taken.
        DamagedRepository: the history cannot be read.
    """
    name = text.strip()
    if _TURN_FIRST.fullmatch(name):
        return _turn(repo, name, branch, progress)
    trouble = ""
    try:
        return repo.resolve(name) if name else _refuse(text)
    except UnknownRevision as error:
        if error.what.startswith("several"):
            trouble = str(error)
    from perdure.snapshot.revisions.dates import parse_date

    span = parse_date(name, now)
    if span is not None:
        return _standing(repo, name, span, branch, now, progress)
    try:
        return _turn(repo, name, branch, progress)
    except UnknownTurn as error:
        trouble = trouble or error.what.rstrip(".")
    return _refuse(text, trouble)


def parse_span(text: str, now: datetime) -> Span:
    """Read a date or a stretch of time. Raises NoRevision, which says what is accepted."""
    from perdure.snapshot.revisions.dates import ACCEPTED, parse_date

    span = parse_date(text, now)
    if span is None:
        raise NoRevision(f"{text!r} is not a date", next_step=f"Write a date as: {ACCEPTED}")
    return span


def _refuse(text: str, trouble: str = "") -> str:
    from perdure.snapshot.revisions.dates import ACCEPTED

    raise NoRevision(
        trouble or f"{text!r} is not a commit, date or turn here",
        next_step="Give a branch, a tag, the start of a commit's id, HEAD~3, a turn (@, @-3, "
        f"its id), or a date ({ACCEPTED})",
    )


def _start(repo: Repository, branch: str | None) -> str:
    head = repo.head()
    if branch is None and head.commit is None:
        raise NoRevision("nothing has been said or written here yet")
    return repo.resolve(f"refs/heads/{branch}") if branch else repo.resolve("HEAD")


def _standing(
    repo: Repository,
    text: str,
    span: Span,
    branch: str | None,
    now: datetime,
    progress: Progress | None,
) -> str:
    if span.begin > now:
        raise NoRevision(f"{text!r} is in the future")
    start = _start(repo, branch)
    tip = repo.commit_info(start)
    if tip.committed_at < span.end:
        return tip.id
    found = repo.timeline(progress).tip_before(start, span.end)
    if found is None:
        raise NoRevision(
            f"{text!r} is before this history begins",
            next_step="perdure log --all shows how far back it goes",
        )
    return found


def _turn(repo: Repository, name: str, branch: str | None, progress: Progress | None) -> str:
    start = _start(repo, branch)
    turn = find_turn_at(repo, start, name, progress)
    if turn is None:
        raise UnknownTurn(f"{name!r} is not a commit, date or turn here.")
    found = commit_of_turn(repo, start, turn, progress)
    if found is None:
        raise UnknownTurn(f"no commit here added the turn {turn}.")
    return found.id
