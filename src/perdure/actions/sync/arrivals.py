"""What came to a branch from another device, in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from perdure.actions.sync.conflicts import conflicts_of, settled_by
from perdure.actions.sync.moves import rebased_onto
from perdure.companion.memory.facts import FACTS_FILE_LIMIT
from perdure.companion.names import title_from
from perdure.git.merge.tips import SYNC_AUTHOR, conflict_paths
from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.refs.reflog import LoggedMove
from perdure.git.repository.repository import Repository
from perdure.git.timeline.query import Query
from perdure.notice import Notice
from perdure.plural import plural
from perdure.snapshot.revisions.ahead import MOST, commits_ahead
from perdure.snapshot.revisions.program_commits import ProgramCommits

_KNOWN = 500
"""Commits whose authors are known without a question to the index."""
_NAMED = 3
_AREAS = {
    "persona": ("change to the persona", "changes to the persona"),
    "lore": ("change to the lore", "changes to the lore"),
    "memory": ("change to the memory", "changes to the memory"),
    "companion.yaml": ("change to the settings", "changes to the settings"),
    "backends": ("change to the backends", "changes to the backends"),
}
_FACTS = "memory/facts/"
_PLACES = {"persona": "the persona", "lore": "the lore", "memory": "her memory"}


@dataclass
class Arrival:
    """What came from elsewhere.

    Attributes:
        turns: ids of turns.
        facts: how many facts were added.
        areas: changes by the folder, or file, that they are of.
        files: the files that were changed, by the same.
        other: changes of anything else.
        is_all: False where there were more commits than were counted.
        authors: who wrote all that.
    """

    turns: set[str] = field(default_factory=set)
    facts: int = 0
    areas: Counter[str] = field(default_factory=Counter)
    files: dict[str, dict[str, None]] = field(default_factory=dict)
    other: int = 0
    is_all: bool = True
    authors: dict[str, Author] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [plural(len(self.turns), "turn")] if self.turns else []
        for area, words in _AREAS.items():
            if self.areas[area]:
                names = list(self.files.get(area, ()))
                more = len(names) - _NAMED
                shown = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
                counted = plural(self.areas[area], *words)
                parts.append(f"{counted} ({shown})" if shown else counted)
        parts += [plural(self.facts, "fact")] if self.facts else []
        parts += [plural(self.other, "other change")] if self.other else []
        return ", ".join(parts) if self.is_all else f"more than {', '.join(parts)}"


def arrival_notices(repo: Repository, tip: str, moves: Sequence[LoggedMove]) -> list[Notice]:
    """What some moves of a branch brought, and where it differs from what was written here.

    Args:
        repo: the repository.
        tip: the branch's commit.
        moves: as `perdure.actions.sync.moves.untold_moves` gives them.
    """
    commits: dict[str, CommitInfo] = {}
    for move in moves:
        ahead = commits_ahead(repo, rebased_onto(move) or move.new, [move.old] if move.old else [])
        commits |= {info.id: info for info in islice(ahead, MOST + 1)}
    arrival = _counted(repo, list(commits.values())[:MOST], is_all=len(commits) <= MOST)
    notices = []
    if str(arrival):
        old = next(move.old for move in moves if move.old)
        strangers = _unknown(repo, old, arrival.authors)
        by = f"; by {' and '.join(strangers)}, new here" if strangers else ""
        level: Literal["info", "warning"] = "warning" if strangers else "info"
        notices.append(Notice(f"From another device: {arrival}{by}.", level))
    return notices + _differing(repo, tip, commits.values())


def _counted(repo: Repository, commits: Sequence[CommitInfo], *, is_all: bool) -> Arrival:
    arrival = Arrival(is_all=is_all)
    program = ProgramCommits(repo)
    for info in commits:
        if len(info.parents) > 1 or info.author == SYNC_AUTHOR or program.is_own(info):
            continue
        arrival.authors.setdefault(info.author.email, info.author)
        turn = next((value for key, value in info.trailers if key == "Turn"), "")
        if turn and info.subject.startswith("turn: "):
            arrival.turns.add(turn)
            continue
        _count_files(repo, info, arrival)
    return arrival


def _count_files(repo: Repository, info: CommitInfo, arrival: Arrival) -> None:
    """Count a commit by the first of the areas that it touches."""
    changes = repo.commits.changed(info.id)
    facts = sum(
        len(_items(repo, change.new_oid) - _items(repo, change.old_oid))
        for change in changes
        if change.path.startswith(_FACTS)
    )
    arrival.facts += facts
    touched = [change.path for change in changes]
    area = next((each for each in _AREAS if any(_is_of(path, each) for path in touched)), "")
    if not area:
        arrival.other += 1
    elif not (area == "memory" and facts):
        arrival.areas[area] += 1
        names = (path.rpartition("/")[2] for path in touched if _is_of(path, area) and "/" in path)
        arrival.files.setdefault(area, {}).update(
            dict.fromkeys(title_from(name, 60) for name in names)
        )


def _is_of(path: str, area: str) -> bool:
    return path == area or path.startswith(f"{area}/")


def _items(repo: Repository, oid: str | None) -> set[bytes]:
    data = repo.small(oid, FACTS_FILE_LIMIT) if oid else b""
    return {line.rstrip() for line in data.split(b"\n") if line.startswith(b"- ")}


def _unknown(repo: Repository, old: str, authors: Mapping[str, Author]) -> list[str]:
    """The authors who had written nothing in the history of a commit."""
    known = {info.author.email for info in islice(commits_ahead(repo, old, []), _KNOWN)}
    return [
        f"{title_from(author.name, 60)} <{title_from(email, 60)}>"
        for email, author in authors.items()
        if email not in known and not _has_written(repo, old, email)
    ]


def _has_written(repo: Repository, old: str, email: str) -> bool:
    timeline = repo.timeline()
    if timeline.is_indexed:
        return next(timeline.listing(old, Query(author=f"<{email}>", limit=1)), None) is not None
    return any(info.author.email == email for info in repo.commits.log(rev=old))


def _differing(repo: Repository, tip: str, commits: Iterable[CommitInfo]) -> list[Notice]:
    """That both sides changed the same places, where that is news."""
    there = list(commits)
    merges = [info for info in there if conflict_paths(info)]
    found = conflicts_of(repo, tip, merges, settled_by(there, there)) if merges else []
    if not found:
        return []
    count = sum(len(each.hunks) for each in found)
    areas = dict.fromkeys(each.path.partition("/")[0] for each in found)
    names = list(dict.fromkeys(_PLACES.get(area, "the settings") for area in areas))
    where = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    differs = "differs" if count == 1 else "differ"
    return [
        Notice(
            f"{plural(count, 'place')} in {where} {differs} between your devices; what was changed "
            "last is used. To see both and choose: perdure conflicts",
            "warning",
        )
    ]
