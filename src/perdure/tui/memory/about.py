"""The text beside a row of the memory browser: the words, their source, what is like them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from perdure.actions.memory.review import ReviewItem, plan_accept
from perdure.actions.workspace import Workspace
from perdure.companion.memory.summaries import Summary
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.snapshot.conversation.newest_turns import conversation_turns
from perdure.snapshot.facts import FactRow, KnownFacts
from perdure.snapshot.revisions.diff import TextChange
from perdure.tui.dialogs.question import one_row
from perdure.tui.diff_text import difference, inked
from perdure.tui.drawers.drawer import clean, short
from perdure.tui.memory.rows import MemoryRow, how, source_of
from perdure.tui.timeline.about import STYLES, about_commit
from perdure.views.blame import blamed_lines
from perdure.views.memory import MemoryView

_TRUST = {
    "user": "your words",
    "companion": "learned in conversation",
    "imported": "imported from elsewhere",
}
_HOW = {
    "by hand": "written or changed by hand",
    "cut": "sentences of the conversation, without a model",
}
_SAID = 600
"""Characters of a source's message that are shown."""


def about_row(repo: Repository, look: MemoryView, row: MemoryRow, progress: Progress) -> Text:
    """The text for a row; runs on the reader's thread."""
    text = Text()
    if isinstance(row, FactRow):
        _fact(text, row, look.known)
        _last_change(text, repo, look.tip, row.fact.path, row.fact.line, progress)
    elif isinstance(row, Summary):
        _summary(text, row)
    else:
        _waiting(text, row)
    if not isinstance(row, Summary):
        _source(text, repo, look.tip, row, progress)
    return text


def _fact(text: Text, row: FactRow, known: KnownFacts) -> None:
    fact = row.fact
    text.append(f"{clean(fact.text)}\n", "bold")
    marks = [one_row(row.name), _TRUST[fact.trust]]
    marks += ["pinned: before all others"] if fact.pinned else []
    text.append(f"{', '.join(marks)}\n", "dim")
    if row.held:
        text.append("Held: it looks like an instruction. In no prompt until you accept it (a).\n")
    if row.aside:
        text.append("Set aside: in no prompt. x brings it back.\n")
    _beside(text, known.like(fact.text, [row]), known.against(fact.text, [row]))


def _waiting(text: Text, row: ReviewItem) -> None:
    proposal = row.proposal
    what = "held" if row.held else proposal.kind
    text.append(f"{what} {one_row(proposal.topic)}\n".replace(" \n", "\n"), "bold")
    if proposal.note:
        text.append(f"{one_row(proposal.note)}\n", "italic")
    if row.held:
        text.append("Imported, and in no prompt until you accept it.\n", "dim")
    if proposal.instead_of:
        gone = "" if row.stands else "  (no longer there)"
        text.append(f"\n- {one_row(proposal.instead_of)}", "red").append(f"{gone}\n", "dim")
    elif proposal.text:
        text.append("\n")
    for line in clean(proposal.text).split("\n") if proposal.text else ():
        text.append(f"+ {line}\n", "green")
    _beside(text, row.like, row.against)
    if row.review is not None and row.review.backend:
        model = f" ({row.review.model})" if row.review.model else ""
        text.append(f"\nproposed by {one_row(row.review.backend + model)}\n", "dim")


def _beside(text: Text, like: Sequence[FactRow], against: Sequence[FactRow]) -> None:
    for words, rows in (("contradicts", against), ("nearly the same as", like)):
        if rows:
            text.append(f"\n{words}\n", "bold" if rows is against else "dim")
            for row in rows:
                text.append(f"  {one_row(row.name)}  ", "dim")
                text.append(f"{clean(row.fact.text)}\n")


def _summary(text: Text, row: Summary) -> None:
    text.append(f"Summary of {row.conversation}\n", "bold")
    by = _HOW.get(how(row)) or f"by {row.backend}" + (f" ({row.model})" if row.model else "")
    text.append(f"up to turn {row.through}, {one_row(by)}\n\n", "dim")
    text.append(f"{clean(row.text)}\n")
    text.append(
        f"\nIn {one_row(row.path)}. If you edit it there, nothing overwrites your version.\n", "dim"
    )


def _source(text: Text, repo: Repository, tip: str, row: MemoryRow, progress: Progress) -> None:
    turn = source_of(row)
    if turn is None:
        named = row.fact.source if isinstance(row, FactRow) else ""
        text.append(f"\nfrom  {one_row(named) or 'no turn; written by hand'}\n", "dim")
        return
    text.append(f"\nfrom  {turn.conversation.day:%a %d %b %Y}  {short(turn)}", "dim")
    text.append("  (o goes there)\n", "dim")
    found = conversation_turns(repo, tip, turn.conversation, progress)
    said = next((each for each in found if each.number == turn.number), None)
    if said is None:
        text.append("That turn is not on this branch.\n")
        return
    for each in (said.message, *said.replies):
        if each is not None:
            words = clean(each.text.strip())
            more = " …" if len(words) > _SAID else ""
            text.append(f"{one_row(each.speaker)}: ", "bold").append(f"{words[:_SAID]}{more}\n")


def _last_change(
    text: Text, repo: Repository, tip: str, path: str, line: int, progress: Progress
) -> None:
    if commit := commit_of_line(repo, tip, path, line, progress):
        info = repo.commit_info(commit)
        subject = info.subject.partition(": ")[2] or info.subject
        said = f"last changed  {info.at:%a %d %b %Y}  {info.author.name}: {subject}  (d shows it)"
        text.append(f"\n{one_row(said)}\n", "dim")


def commit_of_line(
    repo: Repository, tip: str, path: str, line: int, progress: Progress | None = None
) -> str:
    """The commit that brought a line as it is; of line 0, the newest one of the file."""
    found = blamed_lines(repo, tip, path, progress)
    if line:
        return next((each.line.commit.id for each in found if each.line.number == line), "")
    newest = max(found, key=lambda each: each.line.commit.at, default=None)
    return newest.line.commit.id if newest is not None else ""


def change_of(repo: Repository, look: MemoryView, row: MemoryRow) -> tuple[str, Text]:
    """The change that brought a row, or that accepting it would make; on the reader's thread."""
    if isinstance(row, FactRow | Summary):
        path, line = (row.fact.path, row.fact.line) if isinstance(row, FactRow) else (row.path, 0)
        commit = commit_of_line(repo, look.tip, path, line)
        return (
            about_commit(repo, commit)
            if commit
            else ("Its change", Text("It is not committed yet."))
        )
    plan = plan_accept(Workspace(repo), look.review, row)
    changes = [
        TextChange(each.path, _decoded(repo.read(each.path, look.tip)), _decoded(each.content))
        for each in plan.changes
    ]
    return "What accepting it changes", inked(difference(changes), STYLES)


def _decoded(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")
