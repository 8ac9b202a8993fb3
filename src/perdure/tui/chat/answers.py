"""Acting on one turn: another answer, corrected words, setting it aside, its persona."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.chat.events import Event, Failed, Saved
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.question import LEAVE, Choice

if TYPE_CHECKING:
    from rich.text import Text

    from perdure.chat.session import Session
    from perdure.git.repository.repository import Repository
    from perdure.tui.chat.conversation import Conversation
    from perdure.tui.chat.history import HistoryController
    from perdure.tui.chat.turns import TurnController


class AnswerController:
    """Acts on the turn under the cursor; the conversation on the screen follows."""

    def __init__(
        self, conversation: Conversation, turns: TurnController, history: HistoryController
    ) -> None:
        self._conversation = conversation
        self._turns = turns
        self._history = history

    # -- another answer ------------------------------------------------------------------------

    def regenerate(self) -> None:
        """Ask for another answer to the picked turn; the one that is shown is kept beside it."""
        here = self._conversation
        turn = here.turn_to_act_on()
        if turn is None:
            return

        async def plan(session: Session) -> None:
            from perdure.actions.turns.regenerate import plan_regenerate

            own = session.info.conversation
            found = await session.act(
                lambda workspace: plan_regenerate(workspace, str(turn), own=own)
            )
            if found.rewind is not None:
                go = Choice("go", "Ask there, on the new branch", "z takes it back.")
                if not await here.agrees("Another answer", found.describe(), LEAVE, go):
                    return
            here.view.follow()
            branch = found.rewind.name if found.rewind is not None else ""
            events = session.regenerate(str(found.turn), branch)
            self._turns.begin(events, _AnotherAnswer(here, session))

        self._history.act(plan)

    def swap(self, step: int) -> None:
        """Show the answer before (-1) or after (1) the one that is shown."""
        here = self._conversation
        turn = here.turn_to_act_on()
        if turn is None:
            return

        async def plan(session: Session) -> None:
            from perdure.actions.turns.answers import choose, list_answers, plan_choice

            own = session.info.conversation
            found = await session.act(lambda workspace: list_answers(workspace, str(turn)))
            at = next((at for at, row in enumerate(found.rows) if row.shown), 0) + step
            if not 0 <= at < len(found.rows):
                which = "newest" if step > 0 else "oldest"
                only = "only" if len(found.rows) < 2 else which
                here.flash.show(f"This is the {only} answer. r asks for another one.")
                return
            wanted = found.rows[at]
            choice = await session.act(
                lambda workspace: plan_choice(workspace, str(turn), wanted.number, own=own)
            )
            title = f"Answer {at + 1} of {len(found.rows)}"
            if choice.again.rewind is not None:
                lines = [*choice.describe(), *(f"  {reply.text}" for reply in wanted.replies)]
                go = Choice("go", "Continue with this answer, on the new branch")
                if not await here.agrees(title, lines, LEAVE, go):
                    return
            await session.act(lambda workspace: choose(workspace, choice))
            self._history.moved(f"Showing answer {at + 1} of {len(found.rows)}. z takes it back.")

        self._history.act(plan)

    # -- other words ---------------------------------------------------------------------------

    def edit(self) -> None:
        """Correct the words of the picked message in place."""
        here = self._conversation
        turn, speech = here.turn_to_act_on(), here.view.picked
        if turn is None or speech is None:
            return
        reply = not speech.own

        async def plan(session: Session) -> None:
            from perdure.actions.turns.correct import correct, find_words

            words = await session.act(
                lambda workspace: find_words(workspace, str(turn), reply=reply)
            )
            title = "Correct her words" if reply else "Correct your words"
            box = Editing(title, words.text, here.glyphs)
            new = await here.screen.app.push_screen_wait(box)
            if new is None:
                here.flash.show("Nothing was changed.")
                return
            try:
                done = await session.act(lambda workspace: correct(workspace, words, new))
            except Exception:
                # What was typed is not lost with it.
                here.put_back([new])
                raise
            masked = " Something that looks like a key was removed." if done.masked else ""
            self._history.moved(
                f"Corrected; git keeps the original words.{masked} z takes it back."
            )

        self._history.act(plan)

    def set_aside(self) -> None:
        """Exclude the picked turn from prompts, or include it again."""
        here = self._conversation
        turn, speech = here.turn_to_act_on(), here.view.picked
        if turn is None or speech is None:
            return
        back = "aside" in speech.marks

        async def plan(session: Session) -> None:
            from perdure.actions.memory import exclude

            found = await session.act(
                lambda workspace: exclude.plan_exclude(workspace, str(turn), back=back)
            )
            await session.act(lambda workspace: exclude.exclude_turns(workspace, found))
            self._history.moved(f"{found.describe()[0]} x again, or z, takes it back.")

        self._history.act(plan)

    # -- the persona then ----------------------------------------------------------------------

    def show_persona_change(self) -> None:
        """Show the newest change of the persona that the picked turn was spoken under."""
        here = self._conversation
        place = here.place_to_act_on()
        if place is None:
            return

        async def plan(session: Session) -> None:
            from perdure.actions.history import rewind
            from perdure.tui.dialogs.text import Reading
            from perdure.tui.timeline.about import about_commit
            from perdure.views import timeline

            def ask(repo: Repository) -> tuple[str, Text] | None:
                tip = "HEAD" if place == "HEAD" else rewind.find_target(repo, place).commit
                commit = timeline.persona_change_before(repo, tip)
                return about_commit(repo, commit) if commit is not None else None

            found = await session.consult(ask)
            if found is None:
                here.flash.show("Her persona was not changed before that.")
            else:
                here.screen.app.push_screen(Reading(*found, here.glyphs))

        self._history.act(plan)


class _AnotherAnswer:
    """Follows the turn in which another answer is asked for."""

    def __init__(self, conversation: Conversation, session: Session) -> None:
        self._conversation = conversation
        self._session = session
        self._branch = session.info.branch
        self._ended: Saved | Failed | None = None

    def hear(self, event: Event) -> None:
        """Read the history again once a new branch has begun: later turns are not on it."""
        branch = self._session.info.branch
        if branch != self._branch:
            self._branch = branch
            self._conversation.read_again()
        if isinstance(event, (Saved, Failed)):
            self._ended = event

    def end(self) -> None:
        """The new answer takes the place of the old one."""
        here, ended = self._conversation, self._ended
        here.read_again()
        if isinstance(ended, Saved):
            here.view.pick_turn(ended.turn_id)
        if isinstance(ended, Failed):
            here.flash.show(f"{ended.what} {ended.kept} {ended.next_step}", "error")
        elif isinstance(ended, Saved):
            here.flash.show("The old answer is kept: ← and → swap them.", "success")
