"""The text beside a row of the timeline: a change by words, a branch, an operation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from perdure.actions.history.undo import OperationRow
from perdure.companion.conversation.chunk import parse_chunks
from perdure.companion.turns import Turn
from perdure.git.operations.branches import Branch
from perdure.git.repository.repository import Repository
from perdure.snapshot.revisions.diff import TextChange, changes_in
from perdure.tui.dialogs.question import one_row
from perdure.tui.diff_text import Ink, Line, difference, inked
from perdure.views import timeline
from perdure.views.timeline import TimelineRow

STYLES: dict[Ink, str] = {"gone": "red", "come": "green", "head": "bold", "quiet": "dim"}


About = tuple[str, Text]
"""A title, and the text."""


def about_commit(repo: Repository, commit: str) -> About:
    """A commit's subject, and what it changed."""
    info = repo.commit_info(commit)
    first = (
        info.subject,
        f"{info.id[:10]}  {info.at:%a %d %b %Y %H:%M}  {info.author.name}",
    )
    return _about(info.subject, first, difference(changes_in(repo, commit)))


def about_entry(repo: Repository, row: TimelineRow | Branch | OperationRow) -> About:
    """What a row is about; runs on the reader's thread."""
    if isinstance(row, TimelineRow):
        info = row.commit
        many = f"{row.turns} turns, the newest: " if row.turns > 1 else ""
        first = (
            f"{many}{info.subject}",
            f"{info.id[:10]}  {info.at:%a %d %b %Y %H:%M}  {info.author.name}",
            *(f"tag {name}" for name in row.tags),
        )
        changes = timeline.changes_of(repo, row)
        said = [line for change in changes for line in _said(change)] if row.turns else []
        return _about(info.subject, first, said or difference(changes))
    if isinstance(row, Branch):
        return _about_branch(repo, row)
    entry = row.entry
    first = (
        f"{entry.kind}: {entry.description}",
        f"{entry.id[:10]}  {entry.at:%a %d %b %Y %H:%M}  {entry.author.name}  {entry.device}",
        f"on {entry.before.branch or 'no branch'} before, on {entry.after.branch or 'none'} after",
    )
    if entry.is_commit:
        lines = difference(changes_in(repo, entry.id))
    else:
        lines = [
            [("same", f"{move.ref}: {_id(move.old)} to {_id(move.new)}")] for move in entry.moves
        ]
    return _about(entry.description, first, lines)


def _about(title: str, first: Sequence[str], lines: Sequence[Line]) -> About:
    """A text of these lines, below the first ones."""
    head: list[Line] = [
        [("quiet" if at else "head", one_row(line))] for at, line in enumerate(first)
    ]
    return title, inked([*head, [], *lines], STYLES)


def _said(change: TextChange) -> list[Line]:
    """The turns that a change added to a conversation, as they were said."""
    if not change.path.startswith("conversations/") or change.sizes is not None:
        return []
    before = {turn.number for turn in _turns(change.path, change.old)}
    lines: list[Line] = []
    for turn in _turns(change.path, change.new):
        if turn.number in before:
            continue
        for speech in (turn.message, *turn.replies):
            if speech is not None:
                lines.append([("head", one_row(speech.speaker))])
                lines += [[("same", f"  {line}")] for line in speech.text.strip().split("\n")]
                lines.append([])
    return lines


def _turns(path: str, text: str | None) -> list[Turn]:
    found = parse_chunks(text.encode(), path=path) if text else []
    return [turn for chunk in found for turn in chunk.turns]


def _about_branch(repo: Repository, branch: Branch) -> About:
    only = timeline.ahead_of_head(repo, branch.commit)
    first = (
        branch.name,
        f"{branch.commit[:10]}  {branch.at:%a %d %b %Y %H:%M}",
        f"Only there: {only}" if only else "Everything on it is also here.",
    )
    page = timeline.history_page(repo, branch.commit, count=20)
    lines: list[Line] = [
        [("quiet", f"{listed.commit.at:%d %b %H:%M}  "), ("same", listed.commit.subject)]
        for listed in page
    ]
    return _about(branch.name, first, lines)


def _id(oid: str | None) -> str:
    return oid[:10] if oid else "nothing"
