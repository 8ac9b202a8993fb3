"""Whether a restore is proven, and what it would not bring back, without asking any remote."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from perdure.actions.notice_marks import mark_first
from perdure.companion.clock import now
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, REMOTES
from perdure.git.remotes.proof import Proof, read_drills
from perdure.git.remotes.record import read_record
from perdure.git.remotes.settings import Remote, list_remotes
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.conversation.transcript import Transcript
from perdure.views.remotes import AtRisk, age_text, held_by, turns_beyond

STALE = timedelta(days=7)
"""Age of a proof from which on another one is due."""
_SELDOM = timedelta(days=90)
"""Between two words about a companion who is on one machine alone."""
_AHEAD = timedelta(minutes=10)
"""By so much a proof may be younger than now: by more, a clock was wrong."""


@dataclass(frozen=True, slots=True)
class ProofState:
    """What is proven of all remotes together.

    Attributes:
        age: of the newest proof; None: there is none, or its time is not to be believed.
        is_proven: whether a restore from some remote worked, and that remote has not gone back.
        newer: turns and changes that are on a remote, and in no proof, or in an old one only.
        on_none: turns and changes that are on no remote.
        failure: why no restore from some remote is possible, with its name; "" for none.
    """

    age: timedelta | None
    is_proven: bool
    newer: AtRisk
    on_none: AtRisk
    failure: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether the proof is too old, or how old it is cannot be told."""
        return self.is_proven and (self.age is None or self.age > STALE)

    @property
    def is_well(self) -> bool:
        """Whether a restore is proven, and nothing would be missing after it."""
        at_risk = self.newer or self.on_none
        return self.is_proven and not (self.is_stale or at_risk or self.failure)

    def __str__(self) -> str:
        if self.failure:
            return self.failure
        if not self.is_proven:
            risk = f", {self.on_none}" if self.on_none else ""
            return f"no restore is proven{risk}"
        when = f"{age_text(self.age)} ago" if self.age is not None else "at an unknown time"
        return f"restore proven {when}, {self.risk_text()}"

    def risk_text(self) -> str:
        """The turns that a restore would not bring back."""
        parts = [str(self.on_none)] if self.on_none else []
        if self.newer:
            parts.append(f"{self.newer.count_text()} newer than the proof")
        return ", ".join(parts) or "0 turns at risk"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "proven": self.is_proven,
            "stale": self.is_stale,
            "age_seconds": int(self.age.total_seconds()) if self.age is not None else None,
            "turns_on_no_remote": self.on_none.turns,
            "turns_newer_than_proof": self.newer.turns,
            "changes_on_no_remote": self.on_none.changes,
            "changes_newer_than_proof": self.newer.changes,
            "failure": self.failure or None,
        }


def proof_state(repo: Repository) -> ProofState | None:
    """What is proven; None where there is no remote.

    A proof stays one as long as its remote is not known to have gone back: that is told from the
    remote's tips, not from a clock. Its age is that by the clock, or by the newest commit that is
    here where that says more: a clock that was put back makes no proof young.

    Raises:
        HistoryError: the history here cannot be read.
    """
    remotes = list_remotes(repo)
    if not remotes:
        return None
    records = [(each, read_drills(repo, each.name, each.url)) for each in remotes]
    proofs = [
        record.proof
        for each, record in records
        if record.proof is not None and (not went_back(repo, each, record.proof))
    ]
    failure = next((record.failure for _, record in records if record.failure), "")
    there = {
        oid
        for each in remotes
        for oid in held_by(repo, each.name, read_record(repo, each.name, each.url))
    }
    covered = {oid for proof in proofs for oid in proof.covers}
    on_none = turns_beyond(repo, there | covered)
    if not proofs:
        return ProofState(None, False, AtRisk(), on_none, failure)
    ages = [(_age(repo, proof), proof) for proof in proofs]
    fresh = [proof for age, proof in ages if age is not None and age <= STALE]
    beyond = turns_beyond(repo, {oid for proof in fresh or proofs for oid in proof.covers})
    newer = AtRisk(
        max(0, beyond.turns - on_none.turns),
        is_all=beyond.is_all,
        changes=max(0, beyond.changes - on_none.changes),
    )
    age = min((age for age, _ in ages if age is not None), default=None)
    return ProofState(age, True, newer, on_none, failure)


def due_notices(repo: Repository) -> list[Notice]:
    """A word where no restore was proven for a week, once for each proof.

    No turn is counted for it: whoever opens a chat waits for this.
    """
    dates: list[float] = []
    for remote in list_remotes(repo):
        proof = read_drills(repo, remote.name, remote.url).proof
        record = read_record(repo, remote.name, remote.url)
        since = proof.at if proof is not None else record.added_at or record.synced_at
        dates += [since] if since is not None else []
    # A date to come means that a clock was wrong: a proof then is of an unknown age.
    if not dates or -_AHEAD < timedelta(seconds=time.time() - max(dates)) <= STALE:
        return []
    if not mark_first(repo, "drill-due-said", str(max(dates))):
        return []
    return [
        Notice(
            f"No restore was proven for {STALE.days} days. To know that the backup works: "
            "perdure drill"
        )
    ]


def lone_copy_notices(repo: Repository, transcript: Transcript) -> list[Notice]:
    """A word where all that was said is on this machine alone; seldom, for who wants it so."""
    if not transcript.chunks or list_remotes(repo):
        return []
    first = transcript.chunks[0].conversation.day
    count = (now().date() - first - STALE) // _SELDOM
    if count < 0 or not mark_first(repo, "lone-copy-said", str(count)):
        return []
    return [
        Notice(
            "Everything she knows is on this machine, and only here. To keep a copy elsewhere: "
            "perdure remote add backup ADDRESS"
        )
    ]


def went_back(repo: Repository, remote: Remote, proof: Proof) -> bool:
    """Whether a branch of the remote was last seen at an earlier state than was proven."""
    parts = repo.parts()
    prefix = f"{REMOTES}{remote.name}/"
    seen = {ref.removeprefix(prefix): oid for ref, oid in parts.refs.names(prefix).items()}
    reach = Reach(repo.commit_info, parts.boundary)
    for ref, tip in proof.tips.items():
        last = seen.get(ref.removeprefix(HEADS)) if ref.startswith(HEADS) else None
        # What the proof has and this machine lacks is newer than what was last seen from here.
        if last not in {None, tip} and parts.store.has(tip) and not reach.is_ancestor(tip, last):
            return True
    return False


def _age(repo: Repository, proof: Proof) -> timedelta | None:
    at, newest = proof.at, proof.newest
    commit = repo.head().commit
    if commit is not None:
        newest = max(newest, repo.commit_info(commit).committed_at.timestamp())
    # Commits from another machine may be ahead of this clock: by as much as at that time.
    newest -= max(0.0, proof.newest - at)
    age = timedelta(seconds=max(time.time(), newest) - at)
    return max(age, timedelta()) if age > -_AHEAD else None
