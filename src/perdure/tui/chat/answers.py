"""What the cursor of the talk does to a turn: another answer, other words, set aside, its voice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.chat.events import Event, Failed, Saved
from perdure.tui.chat.merge import MergingScreen
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.question import Choice

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.git.repository.repository import Repository
    from perdure.tui.ports import ChatSession

_LEAVE = Choice("", "Leave it as it is")


class AnswersScreen(MergingScreen):
    """Acts on the picked turn; the talk on the screen follows."""

    _again = False
    """Another answer to a turn is being asked for."""
    _again_branch: str | None = None
    _again_ended: Saved | Failed | None = None

    # -- another answer ------------------------------------------------------------------------

    def action_regenerate(self) -> None:
        """Ask for another answer to the picked turn; the one that stands is kept beside it."""
        turn = self.turn_to_act_on()
        if turn is None:
            return

        async def plan(session: ChatSession) -> None:
            from perdure.actions.turns.regenerate import plan_again

            own = session.info.conversation
            found = await session.steer(lambda helm: plan_again(helm, str(turn), own=own))
            if found.rewind is not None:
                go = Choice("go", "Ask there, on the new branch", "z takes it back.")
                if not await self.wants("Another answer", found.says(), _LEAVE, go):
                    self.flash.tell("Nothing was changed.")
                    return
            self._again, self._again_ended = True, None
            self._again_branch = session.info.branch
            self.view.follow()
            branch = found.rewind.name if found.rewind is not None else ""
            self._begin(session.regenerate(str(found.turn), branch))

        self.steer(plan)

    def hears(self, event: Event) -> None:
        """On a branch that has just begun, what came later on the old one is not shown."""
        if not self._again:
            return
        branch = self.session.info.branch if self.session is not None else None
        if branch != self._again_branch:
            self._again_branch = branch
            self._read_again()
        if isinstance(event, (Saved, Failed)):
            self._again_ended = event

    def turn_ended(self) -> None:
        """The new answer takes the place of the old one."""
        ended, again = self._again_ended, self._again
        self._again, self._again_ended = False, None
        if not again:
            return
        self._read_again()
        if isinstance(ended, Saved):
            self.view.pick_turn(ended.turn_id)
        if isinstance(ended, Failed):
            self.flash.tell(f"{ended.what} {ended.kept} {ended.next_step}", "error")
        elif isinstance(ended, Saved):
            self.flash.tell("The answer before it is kept: ← and → swap them.", "success")

    def action_answer_before(self) -> None:
        """Let the answer before this one stand."""
        self._swap(-1)

    def action_answer_after(self) -> None:
        """Let the answer after this one stand."""
        self._swap(1)

    def _swap(self, step: int) -> None:
        turn = self.turn_to_act_on()
        if turn is None:
            return

        async def plan(session: ChatSession) -> None:
            from perdure.actions.turns.answers import choose, list_answers, plan_choice

            own = session.info.conversation
            found = await session.steer(lambda helm: list_answers(helm, str(turn)))
            here = next((at for at, row in enumerate(found.rows) if row.shown), 0)
            there = here + step
            if not 0 <= there < len(found.rows):
                which = "newest" if step > 0 else "oldest"
                only = "only" if len(found.rows) < 2 else which
                self.flash.tell(f"This is the {only} answer. r asks for another one.")
                return
            wanted = found.rows[there]
            choice = await session.steer(
                lambda helm: plan_choice(helm, str(turn), wanted.number, own=own)
            )
            if choice.again.rewind is not None:
                says = [*choice.says(), *(f"  {reply.text}" for reply in wanted.replies)]
                go = Choice("go", "Talk on with this answer, on the new branch")
                title = f"Answer {there + 1} of {len(found.rows)}"
                if not await self.wants(title, says, _LEAVE, go):
                    self.flash.tell("Nothing was changed.")
                    return
            await session.steer(lambda helm: choose(helm, choice))
            self.moved(f"Answer {there + 1} of {len(found.rows)} stands. z takes it back.")

        self.steer(plan)

    # -- other words ---------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Correct the words of the picked message where they stand."""
        turn, speech = self.turn_to_act_on(), self.view.picked
        if turn is None or speech is None:
            return
        reply = not speech.own

        async def plan(session: ChatSession) -> None:
            from perdure.actions.turns.correct import correct, find_words

            words = await session.steer(lambda helm: find_words(helm, str(turn), reply=reply))
            title = "Correct her words" if reply else "Correct your words"
            new = await self.app.push_screen_wait(Editing(title, words.text, self._glyphs))
            if new is None:
                self.flash.tell("Nothing was changed.")
                return
            try:
                done = await session.steer(lambda helm: correct(helm, words, new))
            except Exception:
                # What was typed is not lost with it.
                self._put_back([new])
                raise
            masked = " Something that looks like a key was taken out." if done.masked else ""
            self.moved(f"Corrected; git keeps the words as they were.{masked} z takes it back.")

        self.steer(plan)

    def action_aside(self) -> None:
        """Keep the picked turn out of prompts, or bring it back."""
        turn, speech = self.turn_to_act_on(), self.view.picked
        if turn is None or speech is None:
            return
        back = "aside" in speech.marks

        async def plan(session: ChatSession) -> None:
            from perdure.actions.memory import aside

            found = await session.steer(lambda helm: aside.plan_aside(helm, str(turn), back=back))
            await session.steer(lambda helm: aside.put(helm, found))
            self.moved(f"{found.says()[0]} x again, or z, takes it back.")

        self.steer(plan)

    # -- her voice then ------------------------------------------------------------------------

    def action_voice(self) -> None:
        """Show the newest change of the persona that the picked turn was spoken under."""
        place = self.place_to_act_on()
        if place is None:
            return

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import rewind
            from perdure.tui.dialogs.text import Reading
            from perdure.tui.timeline.about import about_commit
            from perdure.views import timeline

            def ask(repo: Repository) -> tuple[str, Text] | None:
                tip = "HEAD" if place == "HEAD" else rewind.find_place(repo, place).commit
                commit = timeline.persona_change_before(repo, tip)
                return about_commit(repo, commit) if commit is not None else None

            found = await session.consult(ask)
            if found is None:
                self.flash.tell("Her persona was not changed before that.")
            else:
                self.app.push_screen(Reading(*found, self._glyphs))

        self.steer(plan)
