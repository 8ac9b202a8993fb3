"""Committing what was summarised and proposed: one commit a conversation, by the companion.

It lands on the very commit that it was read from, or not at all: nothing of a branch that was left,
or of turns that were taken back meanwhile, gets into another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from perdure.chat.background.conversation import ConversationReading, refusal
from perdure.chat.errors import CannotRemember
from perdure.chat.turn.store import TurnStore
from perdure.companion.clock import now
from perdure.companion.config.settings import MemoryPolicy
from perdure.companion.ids import TurnId
from perdure.companion.memory.facts import Fact, facts_path, render_line, with_line
from perdure.companion.memory.proposals import (
    Proposal,
    Review,
    render_review,
    review_path,
    with_proposals,
)
from perdure.companion.memory.summaries import Summary, render_summary, summary_path
from perdure.companion.names import title_from
from perdure.git.errors import TipMoved
from perdure.git.repository.repository import Change
from perdure.notice import Notice
from perdure.plural import plural

_TITLE = 40
_THEN = "Resolve that, then try again"
_BY_HAND = "the current summary was changed by hand"
_UNREADABLE = "the current summary cannot be read"


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """What came of reading one conversation.

    ``proposals`` are of facts; ``facts_asked`` says that a model has looked for some, with whatever
    result, and ``dropped`` how many lines of its answer were none.
    """

    summary: Summary | None = None
    proposals: tuple[Proposal, ...] = ()
    facts_asked: bool = False
    dropped: int = 0
    backend: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class MemoryCommit:
    """What was committed.

    Attributes:
        commit: its id.
        summary: the summary, where one was written.
        waits: what now waits for the user's word.
        learned: facts that entered at once.
    """

    commit: str
    title: str
    summary: Summary | None = None
    waits: tuple[Proposal, ...] = ()
    learned: tuple[Fact, ...] = ()

    def notices(self) -> list[Notice]:
        """What a face shows."""
        said = []
        if self.summary is not None:
            how = " from its own sentences, without a model" if self.summary.extractive else ""
            said.append(f"“{self.title}” was summarised{how}.")
        if self.learned:
            said.append(f"Learned: {'; '.join(fact.text for fact in self.learned)}")
        if self.waits:
            waits = plural(len(self.waits), "proposal waits", "proposals wait")
            said.append(f"{waits} for your approval: perdure memory review")
        return [Notice(text) for text in said]


def commit_memory(
    store: TurnStore, reading: ConversationReading, outcome: MemoryResult, *, asked: bool = False
) -> MemoryCommit | None:
    """Commit it. None where there is nothing to write.

    ``asked`` says that the user has just asked for it.

    Raises:
        CannotRemember: it may not be written now, or a file has an uncommitted edit.
        TipMoved: the branch has moved since it was read; nothing was changed.
        HistoryError: nothing was changed.
    """
    policy = store.position.companion.settings.memory
    draft = _Draft(reading, policy)
    draft.take_summary(outcome.summary)
    draft.take_facts(outcome.proposals)
    changes = draft.changes(outcome)
    if not changes:
        return None
    why = refusal(store.position, asked=asked)
    if store.position.branch != reading.branch:
        why = f"{reading.branch} is no longer checked out"
    edited = store.repo.diff(None, None, [change.path for change in changes])
    if edited:
        why = why or f"{edited[0].path} has an uncommitted edit"
    if why:
        raise CannotRemember(f"{why}.", kept="Nothing was changed", next_step=_THEN)
    title = title_from(reading.title, _TITLE) or str(reading.conversation)

    def message(parent: str | None) -> str:
        if parent != reading.tip:
            raise TipMoved(changes[0].path)
        caused = TurnId(reading.conversation, reading.through)
        by = f"Caused-By: {caused}\n" + "Asked: yes\n" * asked
        return f"memory: {draft.what(title)}\n\n{by}"

    commit = store.repo.commit(
        changes,
        message=message,
        author=store.position.companion_author,
        branch=reading.branch,
        at=now(),
        expect=reading.blobs,
    )
    store.follow_own_commit(commit)
    return MemoryCommit(commit, title, draft.summary, tuple(draft.waits), tuple(draft.learned))


class _Draft:
    """The files as they will be."""

    def __init__(self, reading: ConversationReading, policy: MemoryPolicy) -> None:
        self._reading = reading
        self._policy = policy
        self.summary: Summary | None = None
        self.waits: list[Proposal] = []
        self.learned: list[Fact] = []

    def take_summary(self, summary: Summary | None) -> None:
        """Write it, or propose it: a text that a hand has changed is not written over."""
        standing = self._reading.standing
        if summary is None or (standing is not None and _same(standing, summary)):
            return
        by_hand = standing is not None and standing.by_hand
        if not (by_hand or self._reading.unreadable or self._policy.summaries == "review"):
            self.summary = summary
            return
        if summary.extractive and (by_hand or self._reading.unreadable):
            return
        note = _BY_HAND if by_hand else _UNREADABLE if self._reading.unreadable else ""
        source = str(TurnId(summary.conversation, summary.through))
        self.waits.append(Proposal("summary", "", summary.text, "", source, note))

    def take_facts(self, proposals: tuple[Proposal, ...]) -> None:
        for one in proposals:
            if self._policy.facts == "accept" and one.kind == "add" and not one.note:
                self.learned.append(Fact(one.topic, one.text, one.source, "companion"))
            else:
                self.waits.append(one)

    def what(self, title: str) -> str:
        """What the commit's subject says."""
        said = []
        if self.summary is not None:
            said.append(f"summary of “{title}”")
        if self.learned:
            said.append(plural(len(self.learned), "fact"))
        if self.waits:
            said.append(plural(len(self.waits), "proposal"))
        return ", ".join(said) + ("" if self.summary is not None else f" from “{title}”")

    def changes(self, outcome: MemoryResult) -> list[Change]:
        found = []
        if self.summary is not None:
            path = summary_path(self.summary.conversation)
            found.append(Change(path, render_summary(self.summary)))
        files: dict[str, bytes | None] = {}
        for fact in self.learned:
            path = facts_path(fact.topic)
            data = files.get(path, self._reading.files.get(path))
            turn = fact.turn
            chunk = self._reading.paths.get(turn.number, "") if turn is not None else ""
            files[path] = with_line(data, fact.topic, render_line(fact, chunk))
        found += [Change(path, data) for path, data in sorted(files.items())]
        if self.waits:
            path = review_path(self._reading.conversation)
            found.append(Change(path, self._review(outcome)))
        return found

    def _review(self, outcome: MemoryResult) -> bytes:
        """The list with what is new; an older text of the same summary goes."""
        reading, before = self._reading, self._reading.review
        data = reading.files.get(review_path(reading.conversation))
        if data is not None and (before is None or before.troubles):
            return with_proposals(data, self.waits)
        newer = any(one.kind == "summary" for one in self.waits)
        kept = [
            one
            for one in (before.proposals if before is not None else ())
            if not (newer and one.kind == "summary")
        ]
        through = max(reading.through, before.through if before is not None else 0)
        review = Review(reading.conversation, through, (*kept, *self.waits))
        review = replace(review, backend=outcome.backend, model=outcome.model)
        return render_review(review)


def _same(one: Summary, other: Summary) -> bool:
    return replace(one, path=other.path) == other
