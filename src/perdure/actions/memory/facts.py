"""Facts that the user adds, edits, moves, removes or sets aside.

Each act is a plan, thought out from one commit, and one commit that does it; ``undo`` takes it
back. A plan changes single lines: what else stands in a file stays as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from perdure.actions.errors import CannotAct
from perdure.actions.workspace import Workspace
from perdure.backends.keys import loaded_secrets
from perdure.companion.errors import BadFile
from perdure.companion.ids import TurnId
from perdure.companion.memory.aside import ASIDE_FOLDER as ASIDES
from perdure.companion.memory.aside import Aside, render_aside
from perdure.companion.memory.facts import (
    Fact,
    escape_line,
    fact_text,
    facts_path,
    render_line,
    text_lines,
    with_line,
    with_line_changed,
)
from perdure.companion.names import title_from
from perdure.companion.secrets import mask_secrets
from perdure.git.repository.repository import Author, Change
from perdure.memory.ranking import ExcludedFacts
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import name_turn
from perdure.snapshot.facts import FactRow, KnownFacts, read_known_facts

_TITLE = 60


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a change of her memory will do.

    Attributes:
        what: one word for it: add, edit, remove, aside, back, accept, reject.
        sentences: for the user to read beforehand.
        changes: files afterwards.
        message: the commit's.
        tip: the commit that it was thought out from.
        author: who writes it; the human without one.
        like: facts that say nearly the same as the new words.
        against: facts that cannot hold beside them, as far as words show it.
        masked: keys that were taken out of the words.
        fact: the fact as it will be, where there will be one.
    """

    what: str
    sentences: tuple[str, ...]
    changes: tuple[Change, ...]
    message: str
    tip: str
    author: Author | None = None
    like: tuple[FactRow, ...] = ()
    against: tuple[FactRow, ...] = ()
    masked: int = 0
    fact: Fact | None = None

    def describe(self) -> list[str]:
        """One sentence a line."""
        return list(self.sentences)

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        fact = self.fact
        return {
            "what": self.what,
            "topic": fact.topic if fact else None,
            "text": fact.text if fact else None,
            "source": (fact.source or None) if fact else None,
            "files": [change.path for change in self.changes],
            "like": [row.name for row in self.like],
            "against": [row.name for row in self.against],
        }


@dataclass(frozen=True, slots=True)
class FactEdit:
    """What to change about a fact. None leaves it as it is."""

    text: str | None = None
    topic: str | None = None
    pinned: bool | None = None


class FactFiles:
    """The files of facts as they will be, starting from a commit."""

    def __init__(self, workspace: Workspace, tip: str) -> None:
        self._workspace = workspace
        self._tip = tip
        self._files: dict[str, bytes | None] = {}

    def add(self, fact: Fact, chunk_path: str = "") -> None:
        """Add a fact at the end of its topic's file."""
        path = facts_path(fact.topic)
        self._files[path] = with_line(self._now(path), fact.topic, render_line(fact, chunk_path))

    def change(self, old: Fact, new: Fact | None, chunk_path: str = "") -> None:
        """Replace a fact by another, or take it out. Call once for each file."""
        data = self._now(old.path) or b""
        if new is not None and facts_path(new.topic) == old.path:
            line = render_line(new, chunk_path)
            self._files[old.path] = with_line_changed(data, old.line, line)
            return
        self._files[old.path] = with_line_changed(data, old.line, None)
        if new is not None:
            self.add(new, chunk_path)

    def _now(self, path: str) -> bytes | None:
        """The file as it will be. Raises BadFile: a file that cannot be read is not written to."""
        if path in self._files:
            return self._files[path]
        data = self._workspace.repo.read(path, self._tip)
        try:
            text_lines(data or b"", path)
        except BadFile as error:
            raise BadFile(
                path,
                error.line,
                error.problem,
                "nothing was changed",
                "correct the file, then try again",
            ) from error
        return data

    @property
    def changes(self) -> list[Change]:
        """The files that have changed."""
        return [
            Change(path, data)
            for path, data in self._files.items()
            if data != self._workspace.repo.read(path, self._tip)
        ]


def known(workspace: Workspace) -> KnownFacts:
    """What she knows as of the last commit."""
    return read_known_facts(workspace.repo, workspace.tip)


def plan_add_fact(
    workspace: Workspace,
    known: KnownFacts,
    topic: str,
    text: str,
    *,
    turn: str = "",
    pinned: bool = False,
) -> MemoryPlan:
    """Plan to add a fact.

    Args:
        workspace: the companion.
        known: what she knows.
        topic: of what; a new one begins a file.
        text: the fact, one line.
        turn: name of the turn that taught it, if one did.
        pinned: put it before all others.

    Raises:
        BadFact: no words, too many of them, or no topic.
        BadFile: the topic's file cannot be read.
        UnknownTurn: there is no such turn.
        CannotAct: it is there already.
    """
    clean, masked = _clean(text)
    transcript = Transcript(workspace.repo, known.tip) if turn else None
    source = name_turn(transcript, turn) if transcript is not None else None
    fact = Fact(known.topic(topic), clean, str(source or ""), "user", pinned)
    there = known.same(fact.topic, clean)
    if there is not None:
        raise CannotAct(
            f"{fact.topic} already has that fact: {there.name}",
            next_step=f"to change it: perdure memory edit {there.name}",
        )
    pages = FactFiles(workspace, known.tip)
    pages.add(fact, chunk_of(transcript, source))
    return MemoryPlan(
        "add",
        (f"Adds to {fact.topic}: “{clean}”", *_pin_said(fact)),
        tuple(pages.changes),
        memory_message(f"{fact.topic}: {clean}", source),
        known.tip,
        like=known.like(clean),
        against=known.against(clean),
        masked=masked,
        fact=fact,
    )


def plan_edit_fact(
    workspace: Workspace, known: KnownFacts, row: FactRow, edit: FactEdit
) -> MemoryPlan:
    """Plan to change a fact: its line and no other. New words are the user's.

    Raises:
        BadFact: no words are left, too many, or no topic.
        BadFile: the file that it moves to cannot be read.
        CannotAct: it is so already.
    """
    old = row.fact
    new, masked = old, 0
    if edit.text is not None:
        text, masked = _clean(edit.text)
        if text != old.text:
            new = replace(new, text=text, trust="user")
    if edit.topic is not None:
        new = replace(new, topic=known.topic(edit.topic))
    if edit.pinned is not None:
        new = replace(new, pinned=edit.pinned)
    if new == old:
        raise CannotAct(f"{row.name} is already so: “{old.text}”")
    pages = FactFiles(workspace, known.tip)
    pages.change(old, new)
    said = [f"Changes {row.name} “{old.text}”" + (f" to “{new.text}”" * (new.text != old.text))]
    if new.topic != old.topic:
        said.append(f"It moves to {new.topic}.")
    if new.pinned != old.pinned:
        said += _pin_said(new) or ["It is no longer pinned."]
    what = new.text if new.text != old.text else _edit_said(old, new)
    return MemoryPlan(
        "edit",
        tuple(said),
        tuple(pages.changes),
        memory_message(f"{new.topic}: {what}", None, f"It was: “{old.text}”"),
        known.tip,
        like=known.like(new.text, [row]) if new.text != old.text else (),
        against=known.against(new.text, [row]) if new.text != old.text else (),
        masked=masked,
        fact=new,
    )


def plan_remove_fact(workspace: Workspace, known: KnownFacts, row: FactRow) -> MemoryPlan:
    """Plan to remove a fact. The history keeps it."""
    pages = FactFiles(workspace, known.tip)
    pages.change(row.fact, None)
    return MemoryPlan(
        "remove",
        (f"Removes {row.name} “{row.fact.text}”. The history keeps it.",),
        tuple(pages.changes),
        memory_message(f"out of {row.fact.topic}: {row.fact.text}", None),
        known.tip,
    )


def plan_exclude_fact(
    known: KnownFacts, row: FactRow, *, back: bool = False, reason: str = ""
) -> MemoryPlan:
    """Plan to exclude a fact where it stands, or to bring it back.

    Raises:
        CannotAct: it is so already.
    """
    fact = row.fact
    if row.aside != back:
        state = "not set aside" if back else "already set aside"
        raise CannotAct(f"{row.name} is {state}: “{fact.text}”")
    if back:
        changes = _brought_back(known, fact)
        said = f"Brings back {row.name} “{fact.text}”: it can enter prompts again."
    else:
        line = escape_line(fact.text) + (f" ({fact.source})" if fact.source else "")
        digest = hashlib.sha256(line.encode()).hexdigest()[:12]
        aside = Aside(facts=(line,), reason=reason)
        changes = [Change(f"{ASIDES}/fact-{digest}.md", render_aside(aside))]
        said = (
            f"Keeps {row.name} “{fact.text}” out of prompts; it stays where it is. "
            f"perdure memory edit {row.name} --back brings it back."
        )
    title = title_from(fact.text, _TITLE)
    return MemoryPlan(
        "back" if back else "aside",
        (said,),
        tuple(changes),
        f"aside: fact{' back' * back}, “{title}”\n",
        known.tip,
    )


def _brought_back(known: KnownFacts, fact: Fact) -> list[Change]:
    changes = []
    for path, aside in known.excluded.files:
        kept = tuple(line for line in aside.facts if fact not in ExcludedFacts([line]))
        if kept != aside.facts:
            left = replace(aside, facts=kept)
            gone = not (left.turns or left.facts)
            changes.append(Change(path, None if gone else render_aside(left)))
    return changes


def commit_plan(workspace: Workspace, plan: MemoryPlan) -> str:
    """Do what a plan says in one commit; returns its id.

    Raises:
        CannotAct: a file of it has an edit that is in no commit.
        TipMoved: one of its files was committed to since the plan was made.
        HistoryError: nothing was changed.
    """
    return workspace.commit(plan.changes, plan.message, plan.tip, author=plan.author)


def memory_message(text: str, source: TurnId | None, more: str = "") -> str:
    """The message of a commit that changes memory; ``source`` is the turn that caused it."""
    parts = [f"memory: {title_from(text, _TITLE)}", more]
    parts.append(f"Caused-By: {source}" if source is not None else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def chunk_of(transcript: Transcript | None, turn: TurnId | None) -> str:
    """The path of the chunk that holds a turn; "" without one."""
    if transcript is None or turn is None:
        return ""
    for index, ref in enumerate(transcript.chunks):
        if ref.conversation == turn.conversation:
            numbers = {each.number for each in transcript.turns(index)}
            if turn.number in numbers:
                return ref.path
    return ""


def _clean(text: str) -> tuple[str, int]:
    clean, masked = mask_secrets(text, loaded_secrets())
    return fact_text(clean), masked


def _pin_said(fact: Fact) -> list[str]:
    return ["It is pinned: it comes before all others."] if fact.pinned else []


def _edit_said(old: Fact, new: Fact) -> str:
    if new.topic != old.topic:
        return f"from {old.topic}: {new.text}"
    return f"{'pinned' if new.pinned else 'not pinned'}: {new.text}"
