"""Everything she knows, for a screen."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.actions.memory.review import ReviewList, review_list
from perdure.actions.workspace import Workspace
from perdure.companion.errors import CompanionProblem
from perdure.companion.memory.facts import FACTS_FOLDER as FACTS
from perdure.companion.memory.proposals import PROPOSALS_FOLDER as REVIEW
from perdure.companion.memory.proposals import read_review
from perdure.companion.memory.summaries import SUMMARIES_FOLDER as SUMMARIES
from perdure.companion.memory.summaries import Summary, read_summaries
from perdure.git.repository.repository import Repository
from perdure.snapshot.facts import KnownFacts, read_known_facts
from perdure.snapshot.files import read_small


@dataclass(frozen=True, slots=True)
class MemoryView:
    """Everything she knows, and everything to be decided, as of one commit.

    Attributes:
        tip: the commit.
        review: what waits for the user's approval; its ``known`` are the facts.
        summaries: of every conversation that has one, newest first.
        troubles: what could not be read, with file and line.
    """

    tip: str
    review: ReviewList
    summaries: tuple[Summary, ...] = ()
    troubles: tuple[str, ...] = ()

    @property
    def known(self) -> KnownFacts:
        """The facts."""
        return self.review.known


def read_memory_view(repo: Repository) -> MemoryView:
    """Read her memory as of HEAD. Raises HistoryError where the tree cannot be read."""
    workspace = Workspace(repo)
    review = review_list(workspace)
    tip = review.known.tip
    files = {
        entry.path: read_small(repo, entry.oid)
        for entry in repo.files(SUMMARIES, tip)
        if entry.path.endswith(".md")
    }
    written, wrong = read_summaries(files)
    newest = sorted(written, key=lambda each: each.conversation, reverse=True)
    troubles = (*review.troubles, *map(str, review.known.troubles), *map(str, wrong))
    return MemoryView(tip, review, tuple(newest), troubles)


def count_waiting(repo: Repository) -> int:
    """Count what the user has to decide on, as of HEAD; reads no more than it needs."""
    tip = repo.head().commit
    if tip is None:
        return 0
    count = 0
    if repo.folder_oid(REVIEW, tip) is not None:
        for entry in repo.files(REVIEW, tip):
            if entry.path.endswith(".md"):
                try:
                    count += len(read_review(read_small(repo, entry.oid), entry.path).proposals)
                except CompanionProblem:
                    continue
    if repo.folder_oid(FACTS, tip) is not None:
        count += sum(row.held and not row.aside for row in read_known_facts(repo, tip).rows)
    return count
