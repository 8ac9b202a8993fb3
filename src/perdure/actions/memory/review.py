"""What the user has to decide on: proposals, and imported facts that look like instructions.

Accepting writes the fact and takes the proposal off its list in one commit, by the companion, with
the turn that caused it; what the user changes first is the user's. Rejecting only takes it off.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from perdure.actions.errors import CannotAct
from perdure.actions.memory.facts import FactFiles, MemoryPlan, chunk_of, memory_message
from perdure.actions.workspace import Workspace
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.facts import Fact, Trust, default_trust, fact_text
from perdure.companion.memory.proposals import (
    PROPOSALS_FOLDER,
    Proposal,
    Review,
    read_review,
    without,
)
from perdure.git.repository.repository import Change
from perdure.memory.injection import instruction_shaped
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.errors import UnknownFact
from perdure.snapshot.facts import FactRow, KnownFacts, read_known_facts
from perdure.snapshot.files import read_small

_LOOKS_LIKE_ORDER = "looks like an instruction"


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One thing to decide on.

    Attributes:
        number: its place in the list, from 1; changes when others go.
        id: 8 hex digits that stay.
        proposal: what is proposed.
        review: the list that it stands on; None for an imported fact.
        held: the imported fact that waits; None for a proposal.
        stands: the fact that it would replace or remove, where that is still there.
        like: facts that say nearly the same.
        against: facts that cannot hold beside it, as far as words show it.
    """

    number: int
    id: str
    proposal: Proposal
    review: Review | None = None
    held: FactRow | None = None
    stands: FactRow | None = None
    like: tuple[FactRow, ...] = ()
    against: tuple[FactRow, ...] = ()

    @property
    def is_order(self) -> bool:
        """Whether it looks like an instruction, which nobody should accept unread."""
        return self.held is not None or instruction_shaped(self.proposal.text)

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        proposal, review = self.proposal, self.review
        return {
            "number": self.number,
            "id": self.id,
            "kind": "held" if self.held else proposal.kind,
            "topic": proposal.topic or None,
            "text": proposal.text or None,
            "instead_of": proposal.instead_of or None,
            "source": proposal.source or None,
            "note": proposal.note or None,
            "conversation": str(review.conversation) if review else None,
            "backend": (review.backend or None) if review else None,
            "model": (review.model or None) if review else None,
            "stands": self.stands.name if self.stands else None,
            "like": [{"name": row.name, "text": row.fact.text} for row in self.like],
            "against": [{"name": row.name, "text": row.fact.text} for row in self.against],
        }


@dataclass(frozen=True, slots=True)
class ReviewList:
    """All that is to be decided, as of a commit.

    Attributes:
        rows: what waits: proposals by conversation, oldest first, then imported facts.
        troubles: what of the lists could not be read, with file and line.
        known: what she knows.
    """

    rows: tuple[ReviewItem, ...]
    troubles: tuple[str, ...]
    known: KnownFacts

    def find(self, name: str) -> ReviewItem:
        """Find an item by its number or id. Raises UnknownFact."""
        for row in self.rows:
            if name in {str(row.number), row.id}:
                return row
        count = len(self.rows)
        raise UnknownFact(
            f"nothing waits under {name!r}",
            kept="nothing was changed",
            next_step=f"perdure memory review lists the {count}"
            if count
            else "there is nothing to review",
        )


def review_list(workspace: Workspace) -> ReviewList:
    """Read all that the user has to decide on."""
    tip = workspace.tip
    known = read_known_facts(workspace.repo, tip)
    found: list[ReviewItem] = []
    troubles: list[str] = []
    for entry in workspace.repo.files(PROPOSALS_FOLDER, tip):
        if not entry.path.endswith(".md"):
            continue
        try:
            review = read_review(read_small(workspace.repo, entry.oid), entry.path)
        except CompanionProblem as problem:
            troubles.append(str(problem))
            continue
        troubles += map(str, review.troubles)
        for proposal in review.proposals:
            found.append(_row(known, len(found) + 1, proposal, review))
    for row in known.rows:
        if row.held and not row.aside:
            fact = row.fact
            proposal = Proposal("add", fact.topic, fact.text, "", fact.source, _LOOKS_LIKE_ORDER)
            found.append(_row(known, len(found) + 1, proposal, None, row))
    return ReviewList(tuple(found), tuple(troubles), known)


def _row(
    known: KnownFacts,
    number: int,
    proposal: Proposal,
    review: Review | None,
    held: FactRow | None = None,
) -> ReviewItem:
    parts = (
        review.path if review else held.fact.path if held else "",
        proposal.kind,
        proposal.topic,
        proposal.text,
        proposal.instead_of,
        proposal.source,
    )
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:8]
    stands = known.same(proposal.topic, proposal.instead_of) if proposal.instead_of else None
    is_fact = proposal.kind in {"add", "replace"}
    but = (stands, held)
    return ReviewItem(
        number,
        digest,
        proposal,
        review,
        held,
        stands,
        known.like(proposal.text, but) if is_fact else (),
        known.against(proposal.text, but) if is_fact else (),
    )


def plan_accept(
    workspace: Workspace,
    listed: ReviewList,
    row: ReviewItem,
    *,
    text: str | None = None,
    topic: str | None = None,
) -> MemoryPlan:
    """Plan to accept an item, as it is or in other words.

    Raises:
        BadFact: the new words are none, or too many.
        BadFile: the topic's file cannot be read.
    """
    if row.held is not None:
        return _let_in(workspace, listed, row, row.held, text, topic)
    if row.proposal.kind == "summary":
        return _accept_summary(workspace, listed, row, text)
    proposal, known = row.proposal, listed.known
    edited = text is not None or topic is not None
    turn = TurnId.read(proposal.source)
    pages = FactFiles(workspace, known.tip)
    fact = _fact_of(known, row, text, topic) if proposal.kind != "remove" else None
    chunk = chunk_of(Transcript(workspace.repo, known.tip), turn) if fact and turn else ""
    if row.stands is not None:
        pages.change(row.stands.fact, fact, chunk)
    elif fact is not None and known.same(fact.topic, fact.text) is None:
        pages.add(fact, chunk)
    if fact is None:
        said = f"Removes “{proposal.instead_of}” from {proposal.topic}."
        title = f"out of {proposal.topic}: {proposal.instead_of}"
    else:
        said = f"Writes to {fact.topic}: “{fact.text}”"
        title = f"{fact.topic}: {fact.text}"
    where = f"Accepted{' with other words' * edited} from {row.review.path}" if row.review else ""
    return MemoryPlan(
        "accept",
        (said,),
        (*pages.changes, _off_the_list(workspace, listed, row)),
        memory_message(title, turn, where),
        known.tip,
        author=None if edited else workspace.companion,
        like=row.like,
        against=row.against,
        fact=fact,
    )


def _fact_of(known: KnownFacts, row: ReviewItem, text: str | None, topic: str | None) -> Fact:
    """The fact that a proposal will become."""
    proposal = row.proposal
    trust: Trust = default_trust(proposal.source)
    if text is not None:
        trust = "user"
    elif not proposal.source:
        trust = "companion"
    return Fact(
        topic=known.topic(topic or proposal.topic),
        text=fact_text(proposal.text if text is None else text),
        source=proposal.source,
        trust=trust,
        pinned=row.stands is not None and row.stands.fact.pinned,
        reviewed=trust == "imported",
    )


def _let_in(
    workspace: Workspace,
    listed: ReviewList,
    row: ReviewItem,
    held: FactRow,
    text: str | None,
    topic: str | None,
) -> MemoryPlan:
    """Let in an imported fact that the user has read."""
    old = held.fact
    fact = replace(old, reviewed=True)
    if text is not None:
        fact = replace(old, text=fact_text(text), trust="user")
    if topic is not None:
        fact = replace(fact, topic=listed.known.topic(topic))
    pages = FactFiles(workspace, listed.known.tip)
    pages.change(old, fact)
    return MemoryPlan(
        "accept",
        (f"Allows {held.name} “{fact.text}” in prompts.",),
        tuple(pages.changes),
        memory_message(f"let in: {fact.text}", None, f"It came from {old.source or 'elsewhere'}."),
        listed.known.tip,
        like=row.like,
        against=row.against,
        fact=fact,
    )


def _accept_summary(
    workspace: Workspace, listed: ReviewList, row: ReviewItem, text: str | None
) -> MemoryPlan:
    from perdure.companion.memory.aside import TurnRange
    from perdure.companion.memory.summaries import Summary, as_written, render_summary, summary_path

    review = row.review
    if review is None:
        raise TypeError(row)
    turn = TurnId.read(row.proposal.source)
    conversation: ConversationId = turn.conversation if turn else review.conversation
    through = turn.number if turn else review.through
    summary = Summary(
        conversation,
        through,
        row.proposal.text,
        review.backend,
        review.model,
        sources=(TurnRange(conversation, 0, through),),
    )
    # Words that the user has changed carry no seal: nothing will write over them unasked.
    summary = as_written(summary) if text is None else replace(summary, text=text)
    return MemoryPlan(
        "accept",
        (f"Writes the summary of {conversation}.",),
        (
            Change(summary_path(conversation), render_summary(summary)),
            _off_the_list(workspace, listed, row),
        ),
        memory_message(f"summary of {conversation}", turn or TurnId(conversation, through)),
        listed.known.tip,
        author=None if text is not None else workspace.companion,
    )


def plan_reject(workspace: Workspace, listed: ReviewList, row: ReviewItem) -> MemoryPlan:
    """Plan to reject an item: it leaves its list; an imported fact leaves its file."""
    proposal = row.proposal
    words = proposal.text or proposal.instead_of
    if row.held is not None:
        pages = FactFiles(workspace, listed.known.tip)
        pages.change(row.held.fact, None)
        changes = tuple(pages.changes)
    else:
        changes = (_off_the_list(workspace, listed, row),)
    return MemoryPlan(
        "reject",
        (f"Rejects: “{words.splitlines()[0]}”",),
        changes,
        memory_message(f"rejected: {words}", None),
        listed.known.tip,
    )


def _off_the_list(workspace: Workspace, listed: ReviewList, row: ReviewItem) -> Change:
    if row.review is None:
        raise TypeError(row)
    path = row.review.path
    data = workspace.repo.read(path, listed.known.tip)
    if data is None:
        raise CannotAct(f"{path} is gone")
    return Change(path, without(data, path, [row.proposal.line]))
