"""The remotes of a companion, and what is on none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from perdure.actions.sync.conflicts import recent_places
from perdure.companion.clock import now
from perdure.companion.config.settings import SyncPolicy
from perdure.git.operations.branches import branches
from perdure.git.refs.refs import HEADS, REMOTES, TAGS
from perdure.git.remotes.kept import kept_commits
from perdure.git.remotes.record import RemoteRecord, read_record
from perdure.git.remotes.settings import list_remotes
from perdure.git.repository.repository import Repository
from perdure.plural import plural
from perdure.snapshot.revisions.ahead import MOST, commits_ahead
from perdure.snapshot.revisions.program_commits import ProgramCommits, turn_of_commit

_DELAYS: dict[SyncPolicy, timedelta] = {
    "each turn": timedelta(minutes=1),
    "when quiet": timedelta(minutes=12),
    "off": timedelta(days=1),
}
"""The age from which on a turn should have been on a remote."""


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Turns and changes that are on this machine alone.

    Attributes:
        turns: how many turns.
        oldest: when the oldest of all was committed; None: there is none.
        is_all: False where there are more than were counted.
        changes: commits that are no turns, such as those of the persona or memory; the program's
            own do not count.
    """

    turns: int = 0
    oldest: datetime | None = None
    is_all: bool = True
    changes: int = 0

    def __bool__(self) -> bool:
        return bool(self.turns or self.changes)

    def __str__(self) -> str:
        if not self:
            return "no turn is on this machine alone"
        age = f", oldest {age_text(now() - self.oldest)}" if self.oldest else ""
        return f"{self.count_text()} on no remote{age}"

    def count_text(self) -> str:
        """The turns; the other changes where there are no turns."""
        more = "" if self.is_all else "more than "
        if self.turns or not self.changes:
            return f"{more}{plural(self.turns, 'turn')}"
        return f"{more}{plural(self.changes, 'change')}"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "turns": self.turns,
            "changes": self.changes,
            "oldest": self.oldest.isoformat() if self.oldest else None,
            "all": self.is_all,
        }


@dataclass(frozen=True, slots=True)
class RemoteRow:
    """A remote in a list. ``state``: one line; ``synced``: when both sides last had the same."""

    name: str
    url: str
    state: str
    synced: datetime | None
    lacks: AtRisk
    paused: str = ""
    trouble: str = ""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "name": self.name,
            "url": self.url,
            "synced": self.synced.isoformat() if self.synced else None,
            "lacks": self.lacks.to_dict(),
            "paused": self.paused or None,
            "trouble": self.trouble or None,
        }


def remote_rows(repo: Repository) -> list[RemoteRow]:
    """Every remote with its state, as far as it is known without asking it."""
    return [
        _row(repo, remote.name, remote.url, read_record(repo, remote.name, remote.url))
        for remote in list_remotes(repo)
    ]


def at_risk(repo: Repository) -> AtRisk | None:
    """The turns that no remote is known to have; None where there is no remote."""
    remotes = list_remotes(repo)
    if not remotes:
        return None
    records = [read_record(repo, each.name, each.url) for each in remotes]
    held = (held_by(repo, each.name, record) for each, record in zip(remotes, records, strict=True))
    return turns_beyond(repo, [oid for found in held for oid in found])


def held_by(repo: Repository, name: str, record: RemoteRecord) -> list[str]:
    """The ids that a remote has, as it was last seen: it may have gone back since both agreed."""
    if not record.agreed:
        return []
    seen = repo.parts().refs.names(f"{REMOTES}{name}/")
    rest = [oid for ref, oid in record.agreed.items() if not (seen and ref.startswith(HEADS))]
    return [*seen.values(), *rest]


def pauses(repo: Repository) -> dict[str, str]:
    """Why syncing is paused, by the names of the remotes where it is."""
    records = {each.name: read_record(repo, each.name, each.url) for each in list_remotes(repo)}
    return {name: record.pause.reason for name, record in records.items() if record.pause}


def backup_warning(repo: Repository, policy: SyncPolicy) -> str:
    """What is to be said about backups; "" while they work, and where there is no remote.

    Args:
        repo: the repository.
        policy: when perdure syncs by itself; turns that are younger than that takes are no news.
    """
    paused = pauses(repo)
    found = at_risk(repo)
    parts = []
    if found is not None and found.oldest is not None and now() - found.oldest > _DELAYS[policy]:
        parts.append(str(found))
    if paused and policy != "off":
        parts += [f"sync with {name} is paused: {reason}" for name, reason in paused.items()]
    return "; ".join(parts)


def open_places(repo: Repository) -> int:
    """How many places two devices changed differently lately, and nobody has settled."""
    tip = repo.head().commit
    return recent_places(repo, tip) if tip is not None and repo.remotes() else 0


def _row(repo: Repository, name: str, url: str, record: RemoteRecord) -> RemoteRow:
    lacks = turns_beyond(repo, held_by(repo, name, record))
    refs = repo.parts().refs
    synced = None
    if record.synced_at is not None:
        synced = datetime.fromtimestamp(record.synced_at).astimezone()
    paused = record.pause.reason if record.pause else ""
    if paused:
        state = f"paused: {paused}"
    elif not record.agreed:
        state = "nothing was pushed there yet"
    elif lacks:
        state = f"{lacks.count_text()} not there yet"
    elif not record.has({**refs.names(HEADS), **refs.names(TAGS)}):
        state = "has every turn and change; a branch or a tag is not there yet"
    else:
        state = "has everything"
    if synced is not None:
        state += f", last synced {age_text(now() - synced)} ago"
    if record.trouble:
        state += f"; the last try failed: {record.trouble}"
    return RemoteRow(name, url, state, synced, lacks, paused, record.trouble)


def turns_beyond(repo: Repository, known: Iterable[str]) -> AtRisk:
    """What branches and hidden lines have, and some commits have not in their past."""
    parts = repo.parts()
    kept = [
        oid for oid in set(known) if parts.store.has(oid) and parts.store.size(oid)[0] == b"commit"
    ]
    program = ProgramCommits(repo)
    turns: dict[str, datetime] = {}
    changes: dict[str, datetime] = {}
    for tip in dict.fromkeys([*(each.commit for each in branches(repo)), *kept_commits(repo)]):
        for info in commits_ahead(repo, tip, kept):
            turn = turn_of_commit(info)
            if turn is not None and info.subject.startswith("turn: "):
                turns[str(turn)] = info.committed_at
            elif not program.is_own(info):
                changes[info.id] = info.committed_at
            if len(turns) >= MOST or len(changes) >= MOST:
                break
        else:
            kept.append(tip)
            continue
        return _found(turns, changes, is_all=False)
    return _found(turns, changes, is_all=True)


def _found(
    turns: Mapping[str, datetime], changes: Mapping[str, datetime], *, is_all: bool
) -> AtRisk:
    oldest = min([*turns.values(), *changes.values()], default=None)
    return AtRisk(len(turns), oldest, is_all, len(changes))


def age_text(age: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
