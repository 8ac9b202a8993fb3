"""The memory browser: what she knows, what waits for the user's word, and what keys do to it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList

from perdure.chat.memory_known import FactRow
from perdure.chat.reviewing import Waiting
from perdure.companion.summaries import Summary
from perdure.problem import Problem
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.help import HelpScreen
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import Choice, one_row
from perdure.tui.dialogs.text import Reading
from perdure.tui.memory.about import change_of
from perdure.tui.memory.lists import MemoryLists
from perdure.tui.memory.rows import fact_key, source_of, text_of
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.chat.memory_edits import MemoryPlan
    from perdure.chat.memory_known import Known
    from perdure.chat.session import Session
    from perdure.chat.steering.helm import Helm

Make = Callable[["Helm"], "MemoryPlan"]
_PICK = "There is nothing on this row."
_IN_BOX = "What you wrote is in the message box"
_LEAVE = Choice("", "Leave it as it is")


class MemoryScreen(MemoryLists):
    """Every change is one commit, which ``z`` takes back."""

    BINDING_GROUP_TITLE = "What she knows"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,1", "leave", "Back to the talk", id="memory.leave"),
        Binding("f4,3", "timeline", "The timeline", show=False, id="memory.timeline"),
        Binding("j", "move(1)", "Down", show=False, id="memory.down"),
        Binding("k", "move(-1)", "Up", show=False, id="memory.up"),
        Binding("g", "end(-1)", "The first", show=False, id="memory.first"),
        Binding("G", "end(1)", "The last", show=False, id="memory.last"),
        Binding("left_square_bracket", "list(-1)", "List before", show=False, id="memory.list.up"),
        Binding("right_square_bracket", "list(1)", "List after", show=False, id="memory.list.down"),
        Binding("slash", "find", "Narrow to words", show=False, id="memory.find"),
        Binding("enter", "open", "Show it in full", show=False, id="memory.open"),
        Binding("a", "accept", "Accept what is proposed, or held", id="memory.accept"),
        Binding("r", "reject", "Reject it: off the list, in no prompt", id="memory.reject"),
        Binding("e", "edit", "Other words; a proposal is accepted with them", id="memory.edit"),
        Binding("x", "aside", "Set a fact aside, or bring it back", id="memory.aside"),
        Binding("asterisk", "pin", "Pin a fact before all others, or not", id="memory.pin"),
        Binding("o", "source", "The turn that it came from", id="memory.source"),
        Binding("d", "change", "Its last change; what accepting would change", id="memory.diff"),
        Binding("n", "add", "Write down a new fact", id="memory.add"),
        Binding("z", "undo", "Undo the last thing done", show=False, id="memory.undo"),
        Binding("Z", "redo", "Redo what was undone", show=False, id="memory.redo"),
        Binding("f1,question_mark", "keys", "Keys that work here", id="memory.help"),
    ]

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list is self.rows:
            self.action_open()
        else:
            self.rows.focus()

    # -- moving --------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Back to the talk; first out of the box for words, then out of what they narrowed."""
        if self.focused is self.query_one("#find"):
            self._close_find()
        elif self._words:
            self._words = ""
            self._arrange()
        else:
            self.dismiss()

    def action_timeline(self) -> None:
        """The timeline, in the place of this."""
        self.dismiss()
        self._chat.conversation.run_soon("screen.timeline")

    @property
    def moved(self) -> OptionList:
        return self.topics if self.focused is self.topics else self.rows

    def action_list(self, step: int) -> None:
        """Another list."""
        if self._topics:
            self.go_to_list((self._at + step) % len(self._topics))

    def action_find(self) -> None:
        """Open the box for words."""
        box = self.query_one("#find", Input)
        box.display = True
        box.value = self._words
        box.focus()

    def _close_find(self) -> None:
        self.query_one("#find").display = False
        self.rows.focus()

    @on(Input.Submitted, "#find")
    def _narrow(self, event: Input.Submitted) -> None:
        self._words = event.value.strip()
        self._close_find()
        self._arrange()
        if self._words and self.topic is not None and not self.topic.rows:
            filled = (at for at, each in enumerate(self._topics) if each.rows)
            self.go_to_list(next(filled, self._at))

    # -- looking -------------------------------------------------------------------------------

    @work(group="full", exclusive=True)
    async def action_open(self) -> None:
        """Show what stands beside the row in full."""

        async def full() -> None:
            row, text = self.row, await self.find_text()
            if row is not None and text is not None and self.app.screen is self:
                self.app.push_screen(Reading(text_of(row), text, self._glyphs))

        await self._guarded(full)

    @work(group="full", exclusive=True)
    async def action_change(self) -> None:
        """Show the change that brought the row, or that accepting it would make."""
        row, seen = self.row, self._look

        async def full() -> None:
            if row is not None and seen is not None:
                title, text = await self._beside.ask(lambda repo: change_of(repo, seen, row))
                if self.app.screen is self:
                    self.app.push_screen(Reading(title, text, self._glyphs))

        await self._guarded(full)

    def action_source(self) -> None:
        """Go to the turn that the row came from."""
        row = self.row
        turn = source_of(row) if row is not None else None
        if turn is None:
            self.flash.tell("No turn taught it." if row is not None else _PICK)
        else:
            self.leave_for(turn)

    # -- what waits ----------------------------------------------------------------------------

    def _waiting(self) -> Waiting | None:
        """What waits under the cursor; an imported fact that is held waits in its topic too."""
        row = self.row
        if isinstance(row, Waiting):
            return row
        if isinstance(row, FactRow) and row.held and self._look is not None:
            held = (each for each in self._look.review.rows if each.held == row)
            return next(held, None)
        return None

    def action_accept(self) -> None:
        """Let in what waits; what looks like an instruction only after a question."""
        row = self._waiting()
        if row is None:
            self.flash.tell("Nothing waits on this row. What waits is in the list Review.")
        else:
            self._accept(row, None)

    def _accept(self, row: Waiting, text: str | None) -> None:
        from perdure.chat.reviewing import plan_accept, waiting

        def make(helm: Helm) -> MemoryPlan:
            listed = waiting(helm)
            return plan_accept(helm, listed, listed.find(row.id), text=text)

        async def plan(session: Session) -> None:
            if row.is_order:
                says = [
                    "It looks like an instruction. Once it is in, it stands in prompts as a fact.",
                    f"  {text_of(row)}",
                ]
                go = Choice("go", "Let it in")
                if not await self._chat.conversation.agrees("Let it in?", says, _LEAVE, go):
                    return
            await self._do(session, make, typed=text or "")

        self._steer(plan, text or "")

    def action_reject(self) -> None:
        """Take what waits off the list."""
        row = self._waiting()
        if row is None:
            self.flash.tell("Only what waits is rejected; x sets a fact aside.")
            return
        from perdure.chat.reviewing import plan_reject, waiting

        def make(helm: Helm) -> MemoryPlan:
            listed = waiting(helm)
            return plan_reject(helm, listed, listed.find(row.id))

        self._chat.history.act(lambda session: self._do(session, make))

    # -- facts ---------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Put it in other words."""
        row = self.row
        if row is None:
            self.flash.tell(_PICK)
        elif isinstance(row, Summary):
            self.flash.tell(f"Edit {row.path}; the next message commits it.", stays=True)
        elif isinstance(row, Waiting) and row.proposal.kind == "remove":
            self.flash.tell("It takes a fact out; there are no words to change.")
        else:
            self._edit(row)

    @work(group="edit", exclusive=True)
    async def _edit(self, row: Waiting | FactRow) -> None:
        title = "Accept it with other words" if isinstance(row, Waiting) else "Other words"
        new = await self.app.push_screen_wait(Editing(title, text_of(row), self._glyphs))
        if new is None or not new.strip():
            self.flash.tell("Nothing was changed.")
        elif isinstance(row, Waiting):
            self._accept(row, new)
        else:
            self._change(row, text=new)

    def _change(self, row: FactRow, text: str | None = None, *, pinned: bool | None = None) -> None:
        from perdure.chat.memory_edits import FactEdit, plan_edit

        def make(helm: Helm) -> MemoryPlan:
            known, now = _again(helm, row)
            return plan_edit(helm, known, now, FactEdit(text, pinned=pinned))

        self._steer(lambda session: self._do(session, make, typed=text or ""), text or "")

    def action_pin(self) -> None:
        """Pin a fact, or not any more."""
        row = self._fact()
        if row is not None:
            self._change(row, pinned=not row.fact.pinned)

    def action_aside(self) -> None:
        """Set a fact aside, or bring it back."""
        row = self._fact()
        if row is None:
            return
        from perdure.chat.memory_edits import plan_aside

        back = row.aside

        def make(helm: Helm) -> MemoryPlan:
            plan = plan_aside(*_again(helm, row), back=back)
            words = f"“{row.fact.text}”"
            said = f"{words} may stand in prompts again." if back else f"{words} is set aside."
            return replace(plan, sentences=(said,))

        self._chat.history.act(lambda session: self._do(session, make))

    def _fact(self) -> FactRow | None:
        row = self.row
        if isinstance(row, FactRow):
            return row
        if isinstance(row, Waiting):
            self.flash.tell("It is no fact yet: a accepts it, r rejects it.")
        else:
            self.flash.tell("That is for facts." if row is not None else _PICK)
        return None

    @work(group="edit", exclusive=True)
    async def action_add(self) -> None:
        """Ask for a topic and the words, and write them down."""
        topic = self.topic.fact_topic if self.topic is not None else ""
        lines = ("Under which topic? A new one begins a file.",)
        dialog = NameDialog("New fact", lines, self._glyphs, suggested=topic or "people")
        name = await self.app.push_screen_wait(dialog)
        if not name:
            return
        title = f"New fact: {one_row(name)}"
        text = await self.app.push_screen_wait(Editing(title, "", self._glyphs))
        if not text or not text.strip():
            self.flash.tell("Nothing was written down.")
            return
        from perdure.chat.memory_edits import known, plan_add

        def make(helm: Helm) -> MemoryPlan:
            return plan_add(helm, known(helm), name, text)

        self._steer(lambda session: self._do(session, make, typed=text), text)

    # -- doing it ------------------------------------------------------------------------------

    def _steer(self, plan: Callable[[Session], Coroutine[Any, Any, None]], typed: str = "") -> None:
        """Run a plan, if the talk lets it; what was typed is not lost where it does not."""
        if not self._chat.history.act(plan) and typed:
            self._chat.conversation.put_back([typed])
            self.flash.tell(f"Not now. {_IN_BOX}.", "warning", stays=True)

    async def _do(self, session: Session, make: Make, *, typed: str = "") -> None:
        """Make a plan of what is there now, and do it. What was typed is not lost with it."""
        from perdure.chat.memory_edits import put

        def act(helm: Helm) -> MemoryPlan:
            helm.take_edits()
            plan = make(helm)
            put(helm, plan)
            return plan

        try:
            plan = await session.steer(act)
        except Problem as problem:
            if typed:
                self._chat.conversation.put_back([typed])
                problem.kept = _IN_BOX
            self.read()
            raise
        says = [line for line in plan.says() if line]
        if plan.masked:
            says.append("Something that looks like a key was taken out.")
        beside = [f"{row.name} “{row.fact.text}”" for row in (*plan.against, *plan.like)[:1]]
        says += [f"Compare {line}" for line in beside]
        if plan.fact is not None:
            self._wanted_row = fact_key(plan.fact)
            if plan.what == "add":
                self._wanted = f"topic:{plan.fact.topic}"
        self._chat.history.changed()
        self.read()
        warns = bool(plan.against or plan.masked)
        words = " ".join([*says, "z takes it back."])
        self.flash.tell(words, "warning" if warns else "success")

    def action_undo(self) -> None:
        """Undo."""
        self._chat.history.undo()

    def action_redo(self) -> None:
        """Redo."""
        self._chat.history.redo()

    def action_keys(self) -> None:
        """Show the keys that work here."""
        from perdure.tui.keys import memory_groups

        groups = memory_groups(MemoryScreen.BINDINGS)
        self.app.push_screen(HelpScreen(groups, plain=self._glyphs.rule.isascii()))


def _again(helm: Helm, row: FactRow) -> tuple[Known, FactRow]:
    """What she knows now, and the fact in it. Raises CannotSteer where it is not there any more."""
    from perdure.chat.memory_edits import known
    from perdure.chat.steering.errors import CannotSteer

    now = known(helm)
    for each in now.rows:
        if (each.fact.path, each.fact.text, each.fact.source) == (
            row.fact.path,
            row.fact.text,
            row.fact.source,
        ):
            return now, each
    raise CannotSteer("that fact is not there any more", kept="nothing was changed")
