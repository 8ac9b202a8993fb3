"""One line about a companion, for lists; recovers, locks and fully parses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from perdure.companion.config.settings import parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import CompanionProblem
from perdure.errors import one_line
from perdure.git.errors import HistoryError
from perdure.git.repository.lost_file import way_back
from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.transcript import Transcript, last_turn, newest_time
from perdure.snapshot.files import read_small_at
from perdure.views.proof import ProofState, proof_state
from perdure.views.remotes import AtRisk, at_risk, open_places, pauses


@dataclass(frozen=True, slots=True)
class Overview:
    """A companion in a list; ``problem`` is set where it cannot be read."""

    path: Path
    name: str = ""
    branch: str = ""
    last: datetime | None = None
    conversations: int = 0
    conflicts: int = 0
    """Places that two devices changed differently lately, and nobody has settled."""
    problem: str = ""
    at_risk: AtRisk | None = None
    """What is on no remote; None where there is no remote."""
    proof: ProofState | None = None
    """Whether a restore is proven; None where there is no remote."""
    paused: Mapping[str, str] = field(default_factory=dict)
    """Why syncing is paused, by remote."""


def overview(path: Path) -> Overview:
    """Read a companion's line. Never raises if something is wrong with it."""
    try:
        repo = Repository.open(path, recover=False)
        back = way_back(repo.path, SETTINGS)
        data = read_small_at(repo, SETTINGS) if back is None else None
        if back is not None or data is None:
            problem = one_line(back.what, back.next_step) if back else f"no {SETTINGS} at HEAD"
            return Overview(path, problem=problem)
        settings = parse_settings(data)
        branch = repo.head().branch
        transcript = Transcript(repo, branch)
        newest = transcript.last_conversation()
        last = last_turn(transcript, newest) if newest else None
        return Overview(
            path=path,
            name=settings.name,
            branch=branch or "no branch",
            last=newest_time(last) if last else None,
            conversations=len(transcript.conversations()),
            at_risk=at_risk(repo),
            proof=proof_state(repo),
            conflicts=open_places(repo),
            paused=pauses(repo),
        )
    except (HistoryError, CompanionProblem) as problem:
        return Overview(path, problem=str(problem))
    except OSError as problem:
        return Overview(path, problem=f"it cannot be read: {problem.strerror}")
    except Exception as problem:  # noqa: BLE001 - the list goes on with the others
        what = f"it is damaged in an unknown way ({type(problem).__name__})"
        return Overview(path, problem=one_line(what, f"git -C {path} fsck says more"))
