"""Changes from the memory browser: proposals answered, facts edited, pinned, excluded, added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from perdure.actions.errors import CannotAct
from perdure.actions.memory import facts
from perdure.actions.memory.review import ReviewItem, plan_accept, plan_reject, review_list
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.errors import Problem
from perdure.snapshot.facts import FactRow, KnownFacts
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import LEAVE, Choice, one_row
from perdure.tui.host import ChatHost, Plan
from perdure.tui.memory.rows import text_of
from perdure.tui.panel import PanelScreen
from perdure.tui.workers import work

Make = Callable[[Workspace], facts.MemoryPlan]
_IN_BOX = "What you wrote is in the message box"


class MemoryEdits:
    """Asks what there is to ask, then makes one commit, which ``z`` takes back."""

    def __init__(
        self,
        screen: PanelScreen,
        chat: ChatHost,
        glyphs: Glyphs,
        done: Callable[[facts.MemoryPlan | None], None],
    ) -> None:
        """``done``: called after a change, with what was done; None where it was refused."""
        self.screen = screen
        self._chat = chat
        self._glyphs = glyphs
        self._done = done

    # -- what waits ----------------------------------------------------------------------------

    def accept(self, row: ReviewItem, text: str | None = None) -> None:
        """Let in what waits; what looks like an instruction only after a question."""

        def make(workspace: Workspace) -> facts.MemoryPlan:
            listed = review_list(workspace)
            return plan_accept(workspace, listed, listed.find(row.id), text=text)

        async def plan(session: Session) -> None:
            if row.is_order:
                lines = [
                    "It looks like an instruction. Once accepted, it goes into prompts as a fact.",
                    f"  {text_of(row)}",
                ]
                go = Choice("go", "Accept it")
                if not await self._chat.conversation.agrees("Accept it?", lines, LEAVE, go):
                    return
            await self._do(session, make, typed=text or "")

        self._act(plan, text or "")

    def reject(self, row: ReviewItem) -> None:
        """Take what waits off the list."""

        def make(workspace: Workspace) -> facts.MemoryPlan:
            listed = review_list(workspace)
            return plan_reject(workspace, listed, listed.find(row.id))

        self._act(lambda session: self._do(session, make))

    # -- facts ---------------------------------------------------------------------------------

    @work(group="edit", exclusive=True)
    async def reword(self, row: ReviewItem | FactRow) -> None:
        """Ask for other words; a proposal is accepted with them."""
        title = "Edit and accept" if isinstance(row, ReviewItem) else "Edit the fact"
        new = await self.screen.app.push_screen_wait(Editing(title, text_of(row), self._glyphs))
        if new is None or not new.strip():
            self.screen.flash.show("Nothing was changed.")
        elif isinstance(row, ReviewItem):
            self.accept(row, new)
        else:
            self._change(row, text=new)

    def pin(self, row: FactRow) -> None:
        """Pin a fact, or not any more."""
        self._change(row, pinned=not row.fact.pinned)

    def _change(self, row: FactRow, text: str | None = None, *, pinned: bool | None = None) -> None:
        def make(workspace: Workspace) -> facts.MemoryPlan:
            known, now = _again(workspace, row)
            return facts.plan_edit_fact(workspace, known, now, facts.FactEdit(text, pinned=pinned))

        self._act(lambda session: self._do(session, make, typed=text or ""), text or "")

    def set_aside(self, row: FactRow) -> None:
        """Set a fact aside, or bring it back."""
        back = row.aside

        def make(workspace: Workspace) -> facts.MemoryPlan:
            plan = facts.plan_exclude_fact(*_again(workspace, row), back=back)
            words = f"“{row.fact.text}”"
            said = f"{words} can enter prompts again." if back else f"{words} is set aside."
            return replace(plan, sentences=(said,))

        self._act(lambda session: self._do(session, make))

    @work(group="edit", exclusive=True)
    async def add(self, topic: str) -> None:
        """Ask for a topic and the words, and write them down."""
        lines = ("Under which topic? A new one gets its own file.",)
        dialog = NameDialog("New fact", lines, self._glyphs, suggested=topic or "people")
        name = await self.screen.app.push_screen_wait(dialog)
        if not name:
            return
        title = f"New fact: {one_row(name)}"
        text = await self.screen.app.push_screen_wait(Editing(title, "", self._glyphs))
        if not text or not text.strip():
            self.screen.flash.show("Nothing was added.")
            return

        def make(workspace: Workspace) -> facts.MemoryPlan:
            return facts.plan_add_fact(workspace, facts.known(workspace), name, text)

        self._act(lambda session: self._do(session, make, typed=text), text)

    # -- doing it ------------------------------------------------------------------------------

    def _act(self, plan: Plan, typed: str = "") -> None:
        """Run a plan, if the chat lets it; what was typed is not lost where it does not."""
        if not self._chat.history.act(plan) and typed:
            self._chat.conversation.put_back([typed])
            self.screen.flash.show(f"Not now. {_IN_BOX}.", "warning", stays=True)

    async def _do(self, session: Session, make: Make, *, typed: str = "") -> None:
        """Make a plan of what is there now, and do it. What was typed is not lost with it."""

        def act(workspace: Workspace) -> facts.MemoryPlan:
            workspace.commit_hand_edits()
            plan = make(workspace)
            facts.commit_plan(workspace, plan)
            return plan

        try:
            plan = await session.act(act)
        except Problem as problem:
            if typed:
                self._chat.conversation.put_back([typed])
                problem.kept = _IN_BOX
            self._done(None)
            raise
        lines = [line for line in plan.describe() if line]
        if plan.masked:
            lines.append("Something that looks like a key was removed.")
        beside = [f"{row.name} “{row.fact.text}”" for row in (*plan.against, *plan.like)[:1]]
        lines += [f"Compare {line}" for line in beside]
        self._chat.history.changed()
        self._done(plan)
        warns = bool(plan.against or plan.masked)
        words = " ".join([*lines, "z takes it back."])
        self.screen.flash.show(words, "warning" if warns else "success")


def _again(workspace: Workspace, row: FactRow) -> tuple[KnownFacts, FactRow]:
    """What she knows by now, and the fact in it. Raises CannotAct where it is gone."""
    now = facts.known(workspace)
    for each in now.rows:
        if (each.fact.path, each.fact.text, each.fact.source) == (
            row.fact.path,
            row.fact.text,
            row.fact.source,
        ):
            return now, each
    raise CannotAct("that fact is no longer there")
