"""Rebuilds the last prompts from a copy of a companion, and compares their hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import TurnId
from perdure.git.errors import HistoryError
from perdure.git.refs.refs import HEADS
from perdure.git.timeline.query import Query
from perdure.plural import plural
from perdure.progress import Progress
from perdure.prompt.errors import MemoryProblem
from perdure.rescue.drill.report import DrillReport, Verdict
from perdure.snapshot.conversation.turn_commits import AnswerCommit, find_answer_commit
from perdure.snapshot.errors import RequestProblem
from perdure.views.why.replay import replay

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

MOST_PROMPTS = 20
_LOOKED_AT = 400
"""Commits among which the last prompts are looked for."""


def check_prompts(
    here: Repository, there: Repository, report: DrillReport, progress: Callable[[str], None]
) -> None:
    """Rebuild the last prompts over all branches; one that differs only there is damage.

    Raises:
        HistoryError: the history cannot be read.
    """
    differ: list[str] = []
    both = 0
    for start, turn in islice(_last_turns(there, report, history_progress(progress)), MOST_PROMPTS):
        progress(f"rebuilding prompts: {report.prompts + 1}")
        asked = find_answer_commit(there, start, turn)
        if asked is None or not asked.facts.prompt:
            continue
        report.prompts += 1
        again = _digest(there, asked)
        if again == asked.facts.prompt:
            continue
        if _known_here(here, start) and _digest(here, asked) == again:
            both += 1
        else:
            differ.append(str(turn))
    if differ:
        report.add(
            Verdict.BROKEN,
            f"{plural(len(differ), 'prompt')} cannot be rebuilt from what came back, such as that "
            f"of {differ[0]}",
            f"perdure why {differ[0]}",
        )
    if both:
        report.add(
            Verdict.PROVEN,
            f"{plural(both, 'prompt')} of the last {report.prompts} cannot be rebuilt as recorded, "
            "neither here nor from the copy: the history was rewritten once",
        )


def history_progress(progress: Callable[[str], None]) -> Progress:
    """Tells in words how many commits were read."""

    def read(done: int, total: int) -> None:
        progress(
            f"reading the history: {done:,}" + (f" of {total:,}" if total else "") + " commits"
        )

    return read


def _last_turns(
    repo: Repository, report: DrillReport, progress: Progress
) -> Iterator[tuple[str, TurnId]]:
    """The last turns over all branches, each with its commit, the newest first."""
    tips = [oid for ref, oid in report.tips.items() if ref.startswith(HEADS)]
    seen: set[TurnId] = set()
    query = Query(folders=("conversations", "alternatives"))
    listing = repo.timeline(progress).listing(tips[0], query, beside=tips[1:])
    for listed in islice(listing, _LOOKED_AT):
        turn = TurnId.read(listed.turn or "")
        if turn is not None and turn not in seen:
            seen.add(turn)
            yield listed.commit.id, turn


def _known_here(repo: Repository, commit: str) -> bool:
    return repo.parts().store.has(commit)


def _digest(repo: Repository, asked: AnswerCommit) -> str:
    """Hash of a prompt as it is rebuilt; "" where it cannot be."""
    try:
        return replay(repo, asked).prompt.digest
    except (HistoryError, RequestProblem, CompanionProblem, MemoryProblem):
        return ""
