"""Steering the history from the chat: undo, redo, branches, tags, talking on from earlier."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from perdure.companion.ids import TurnId
from perdure.git.errors import BadPath
from perdure.tui.chat.trust import ConfirmingScreen
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import Choice, Question
from perdure.tui.error_text import sentence
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.actions.workspace import Helm
    from perdure.notice import Notice
    from perdure.tui.ports import ChatSession
    from perdure.views.timeline import Names

_LOOK_SECONDS = 2.0
"""How often it is looked whether git, or another program, moved the branch."""


class SteeringScreen(ConfirmingScreen):
    """Moves the history back, forth and sideways; the talk on the screen follows."""

    _steering = False
    _looking = False
    _look_trouble = ""
    _names: Names | None = None

    def on_mount(self) -> None:
        self.set_interval(_LOOK_SECONDS, self._look)

    def names_known(self, names: Names) -> None:
        """Branches and tags were read; a screen shows what it makes of that."""

    def history_opened(self) -> None:
        super().history_opened()
        self._read_names()

    # -- doing one thing at a time -------------------------------------------------------------

    def steer(self, plan: Callable[[ChatSession], Coroutine[Any, Any, None]]) -> bool:
        """Run a plan over the open session; False where it is refused, as while a reply is written.

        One plan at a time: another that comes meanwhile is refused without a word.
        """
        if self.session is None:
            self.flash.tell("The companion is not open yet.", "warning")
        elif self._talking:
            self.flash.tell("Wait for the reply, or stop it with esc first.", "warning")
        elif not self._steering:
            self._steering = True
            self._run_plan(plan, self.session)
            return True
        return False

    @work(group="steer")
    async def _run_plan(
        self, plan: Callable[[ChatSession], Coroutine[Any, Any, None]], session: ChatSession
    ) -> None:
        try:
            await plan(session)
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.tell_error(error)
        finally:
            self._steering = False
            self._go_on()

    def may_send(self) -> bool:
        """Not while the history is on the move."""
        return not (self._steering or self._looking)

    async def wants(
        self, title: str, says: Sequence[str], *choices: Choice, yes: Sequence[str] = ("y",)
    ) -> str:
        """The answer to a question; "" where nothing is to be done."""
        question = Question(title, says, choices, self._glyphs, yes=yes)
        return await self.app.push_screen_wait(question) or ""

    def moved(self, told: str, *, stays: bool = False) -> None:
        """The history stands elsewhere now: show it as it is there."""
        self._read_again()
        self._tell_info()
        self.flash.tell(told, "success", stays=stays)

    # -- back and forth ------------------------------------------------------------------------

    def action_undo(self) -> None:
        """Take back the last thing that was done."""
        self.steer(lambda session: self._walk(session, back=True))

    def action_redo(self) -> None:
        """Bring back what was undone."""
        self.steer(lambda session: self._walk(session, back=False))

    async def _walk(self, session: ChatSession, *, back: bool) -> None:
        from perdure.actions.history import undo

        step = await session.steer(undo.next_undo if back else undo.next_redo)
        self.will_walk(step.plan.entry.id)
        if not step.is_safe:
            says = [sentence(f"takes back {step.what}"), *step.notes()]
            leave = Choice("", "Leave it as it is")
            go = Choice("go", "Undo", "Z brings it back.")
            if not await self.wants("Undo", says, leave, go, yes=("z", "y")):
                self.flash.tell("Nothing was changed.")
                return
        await session.steer(lambda helm: undo.take(helm, step))
        again = "Z brings it back." if back else "z takes it back."
        self.moved(f"{step.said()} {again}", stays=True)
        if step.turn is not None and self.view.picked is not None:
            self.view.pick_turn(step.turn)

    def will_walk(self, entry: str) -> None:
        """An entry of the log is about to be taken back, or brought back."""

    # -- branches and tags ---------------------------------------------------------------------

    @property
    def picked_turn(self) -> TurnId | None:
        """The turn under the cursor of the talk."""
        speech = self.view.picked
        return speech.turn if speech is not None else None

    def sees_picked(self) -> bool:
        """Whether keys may act on what is picked: nothing is done to what nobody looks at.

        Where it is out of view it is brought there, and told; from the message box the newest
        message is picked.
        """
        view = self.view
        if view.empty:
            self.flash.tell("Nothing was said here yet.")
            return False
        if self.focused is not view:
            view.focus()
            view.pick_seen()
        if view.cursor is None:
            self.flash.tell("Pick a message first, with j and k.")
            return False
        if not view.cursor_in_view:
            view.jump_into_view(view.cursor)
            self.flash.tell("This message is the picked one. Press the key again for it.")
            return False
        return True

    def turn_to_act_on(self) -> TurnId | None:
        """The picked turn, if it is seen; else None, and why is told."""
        if not self.sees_picked():
            return None
        speech = self.view.picked
        if speech is not None and speech.turn is not None:
            return speech.turn
        if speech is not None and speech.own:
            self.flash.tell("This message is not sent yet.")
        else:
            self.flash.tell("This is part of no turn yet.")
        return None

    def action_branch(self) -> None:
        """Begin a branch at the picked turn, and stay here."""
        if (place := self.place_to_act_on()) is not None:
            self.begin_branch(place)

    def action_tag(self) -> None:
        """Give the picked turn a name that stays."""
        if (place := self.place_to_act_on()) is not None:
            self.begin_tag(place)

    def action_rewind(self) -> None:
        """Talk on from the picked turn, on a new branch."""
        if (turn := self.turn_to_act_on()) is not None:
            self.talk_on_from(str(turn))

    def place_to_act_on(self) -> str | None:
        """The picked turn while one browses, else the end, as `find_place` takes it.

        None where what is picked is not seen, which is told.
        """
        if self.view.empty or self.focused is not self.view:
            return "HEAD"
        if not self.sees_picked():
            return None
        return str(self.picked_turn) if self.picked_turn is not None else "HEAD"

    def begin_branch(self, place: str) -> None:
        """Ask for a name, and begin a branch there."""

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import branch

            name = await self._make_named(
                session,
                "New branch",
                f"It begins at {_shown(place)}. You stay on the branch where you are.",
                await session.steer(lambda helm: helm.generated("branch")),
                lambda helm, name: branch.start(helm, name, place),
            )
            if name:
                self._read_names()
                self.flash.tell(
                    f"{name} begins at {_shown(place)}. Enter on it in the rail goes there.",
                    "success",
                )

        self.steer(plan)

    def begin_tag(self, place: str) -> None:
        """Ask for a name, and put a tag there."""

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import rewind, tag

            def act(helm: Helm, name: str) -> None:
                tag.tag(helm, name, rewind.find_place(helm.repo, place).commit)

            line = f"It stays on {_shown(place)}."
            name = await self._make_named(session, "New tag", line, "", act)
            if name:
                self._read_names()
                self.flash.tell(f"The tag {name} is on {_shown(place)}.", "success")

        self.steer(plan)

    async def _make_named(
        self,
        session: ChatSession,
        title: str,
        line: str,
        suggested: str,
        make: Callable[[Helm, str], object],
    ) -> str:
        """Ask for a name and make what is called so; "" where nobody wants it any more.

        Words become a name with a dash between them. One that is refused is asked for again, with
        the reason and what was typed.
        """
        lines: tuple[str, ...] = (line,)
        while True:
            dialog = NameDialog(title, lines, self._glyphs, suggested=suggested)
            typed = await self.app.push_screen_wait(dialog)
            if not typed:
                return ""
            name = "-".join(typed.split())
            try:
                await session.steer(lambda helm, name=name: make(helm, name))  # type: ignore[misc]
            except BadPath as refused:
                suggested, lines = typed, (line, f"{sentence(refused.what)}.")
            else:
                return name

    def talk_on_from(self, place: str) -> None:
        """Rewind: what is kept, and under which name, is said before."""

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import rewind

            found = await session.steer(lambda helm: rewind.plan_rewind(helm, place))
            go = Choice("go", "Talk on from there", "z takes it back.")
            stay = Choice("", "Stay here")
            if not await self.wants("Talk on from earlier", found.says(), stay, go):
                self.flash.tell("Nothing was changed.")
                return

            def act(helm: Helm) -> None:
                helm.take_edits()
                rewind.rewind(helm, found)

            await session.steer(act)
            self.moved(
                f"You are on {found.name} now; {found.leaves} keeps the rest. z takes it back.",
                stays=True,
            )

        self.steer(plan)

    def switch_to(self, name: str) -> None:
        """Go to another branch; what stands in the message box comes along."""

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import branch

            before = session.info.branch
            if name == before:
                self.flash.tell(f"You are on {name}.")
                return
            await session.steer(lambda helm: branch.go(helm, name))
            self.moved(f"You are on {name} now. z takes you back to {before}.")

        self.steer(plan)

    def take_back(self, commit: str) -> None:
        """Revert a change; what was answered under it can stay, or be set aside."""

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import revert

            found = await session.steer(lambda helm: revert.plan_revert(helm, commit))
            choices = [Choice("", "Leave it as it is")]
            if found.turns:
                choices += [
                    Choice("keep", "Take it back", "She may go on in that voice for a while."),
                    Choice("new", "Take it back, and begin a new conversation"),
                    Choice(
                        "aside", "Take it back, and set those turns aside", "Kept, out of prompts."
                    ),
                ]
            else:
                choices.append(Choice("keep", "Take it back"))
            then = await self.wants("Take back a change", found.says(), *choices)
            if not then:
                self.flash.tell("Nothing was changed.")
                return

            def act(helm: Helm) -> None:
                now = found
                if helm.take_edits().committed:
                    now = revert.plan_revert(helm, commit)
                revert.revert(helm, now, then)

            await session.steer(act)
            more = {
                "new": " The next message begins a new conversation.",
                "aside": " The turns under it are set aside.",
            }.get(then, "")
            self.moved(f"Taken back; the talk stays.{more} z undoes it.", stays=True)

        self.steer(plan)

    # -- what others do ------------------------------------------------------------------------

    @work(group="names", exclusive=True)
    async def _read_names(self) -> None:
        session = self.session
        if session is None:
            return
        from perdure.views import timeline

        try:
            names = await session.consult(timeline.names)
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.tell_error(error)
            return
        if names:
            self._names = names
            self.names_known(names)

    @work(group="look", exclusive=True)
    async def _look(self) -> None:
        """Follow a branch that git, or another program, switched or moved."""
        session = self.session
        if session is None or not self._ready or self._talking or self._steering:
            return
        self._looking = True
        try:
            notices = await session.look_again()
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            if str(error) != self._look_trouble:
                self._look_trouble = str(error)
                self.tell_error(error)
            return
        finally:
            self._looking = False
        self._look_trouble = ""
        if notices is not None:
            self._show_moved(notices)
        self._go_on()

    def _show_moved(self, notices: Sequence[Notice]) -> None:
        self._read_again()
        self._tell_info()
        for notice in notices:
            self.flash.tell(notice.text, notice.level, stays=True)


def _shown(place: str) -> str:
    if place == "HEAD":
        return "the end of this branch"
    return "this message" if "/" in place else "this change"
