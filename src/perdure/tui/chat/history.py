"""Acting on the history: undo, redo, branches, tags, going back to an earlier turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from perdure.git.errors import BadPath, HistoryError
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import LEAVE, Choice
from perdure.tui.error_text import sentence
from perdure.tui.panel import open_panel
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.chat.session import Session
    from perdure.tui.chat.conversation import Conversation
    from perdure.tui.chat.turns import TurnController
    from perdure.tui.host import Plan
    from perdure.views.timeline import RefNames


class HistoryController:
    """Acts on the history, one action at a time; the conversation on the screen follows."""

    def __init__(
        self,
        conversation: Conversation,
        turns: TurnController,
        names_read: Callable[[RefNames], None],
    ) -> None:
        """``names_read``: called whenever branches and tags were read."""
        self._conversation = conversation
        self.screen = conversation.screen
        self._turns = turns
        self._names_read = names_read
        self._look_trouble = ""
        self.names: RefNames | None = None
        """Branches and tags, as they were read last."""

    # -- doing one thing at a time -------------------------------------------------------------

    def act(self, plan: Plan) -> bool:
        """Run a plan over the open session; False where it is refused, as during a turn.

        One plan at a time: another that comes meanwhile is refused without a word.
        """
        session = self._conversation.free_session()
        if session is None or self._conversation.is_acting:
            return False
        self._conversation.is_acting = True
        self._run(plan, session)
        return True

    @work(group="act")
    async def _run(self, plan: Plan, session: Session) -> None:
        try:
            await plan(session)
        finally:
            self._conversation.is_acting = False
            self._turns.go_on()

    def moved(self, words: str, *, stays: bool = False) -> None:
        """The branch was moved or switched: show its history, and say so."""
        self._conversation.read_again()
        self._conversation.show_info()
        self._conversation.flash.show(words, "success", stays=stays)

    def changed(self) -> None:
        """Show that something was committed beside the conversation."""
        self._conversation.show_info()
        self.read_names()

    # -- back and forth ------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last thing that was done."""
        self.act(lambda session: self._walk(session, back=True))

    def redo(self) -> None:
        """Bring back what was undone."""
        self.act(lambda session: self._walk(session, back=False))

    async def _walk(self, session: Session, *, back: bool) -> None:
        from perdure.actions.history import undo as undoing

        here = self._conversation
        step = await session.act(undoing.next_undo if back else undoing.next_redo)
        panel = open_panel(self.screen.app)
        if panel is not None:
            panel.will_walk(step.plan.entry.id)
        if not step.is_safe:
            lines = [sentence(f"takes back {step.what}"), *step.notes()]
            go = Choice("go", "Undo", "Z brings it back.")
            if not await here.agrees("Undo", lines, LEAVE, go, yes=("z", "y")):
                return
        await session.act(lambda workspace: undoing.perform_step(workspace, step))
        again = "Z brings it back." if back else "z takes it back."
        self.moved(f"{step.said()} {again}", stays=True)
        if step.turn is not None and here.view.picked is not None:
            here.view.pick_turn(step.turn)

    # -- branches and tags ---------------------------------------------------------------------

    def begin_branch(self, place: str) -> None:
        """Ask for a name, and begin a branch there."""

        async def plan(session: Session) -> None:
            from perdure.actions.history import branch

            name = await self._make_named(
                session,
                "New branch",
                f"It starts at {_shown(place)}. You stay on your branch.",
                await session.act(lambda workspace: workspace.generated("branch")),
                lambda workspace, name: branch.begin_branch(workspace, name, place),
            )
            if name:
                self.read_names()
                self._conversation.flash.show(
                    f"{name} starts at {_shown(place)}. To go there: enter, in the sidebar.",
                    "success",
                )

        self.act(plan)

    def begin_tag(self, place: str) -> None:
        """Ask for a name, and put a tag there."""

        async def plan(session: Session) -> None:
            from perdure.actions.history import rewind, tag

            def make(workspace: Workspace, name: str) -> None:
                tag.tag(workspace, name, rewind.find_target(workspace.repo, place).commit)

            line = f"It stays on {_shown(place)}."
            name = await self._make_named(session, "New tag", line, "", make)
            if name:
                self.read_names()
                self._conversation.flash.show(f"The tag {name} is on {_shown(place)}.", "success")

        self.act(plan)

    async def _make_named(
        self,
        session: Session,
        title: str,
        line: str,
        suggested: str,
        make: Callable[[Workspace, str], object],
    ) -> str:
        """Ask for a name and make what it names; "" where the user gives up.

        Words become a name with a dash between them. One that is refused is asked for again, with
        the reason and what was typed.
        """
        lines: tuple[str, ...] = (line,)
        while True:
            dialog = NameDialog(title, lines, self._conversation.glyphs, suggested=suggested)
            typed = await self.screen.app.push_screen_wait(dialog)
            if not typed:
                return ""
            name = "-".join(typed.split())
            try:
                await session.act(lambda workspace, name=name: make(workspace, name))  # type: ignore[misc]
            except BadPath as refused:
                suggested, lines = typed, (line, f"{sentence(refused.what)}.")
            else:
                return name

    def continue_from(self, place: str) -> None:
        """Rewind to a turn or a commit, after saying what is kept and under which name."""

        async def plan(session: Session) -> None:
            from perdure.actions.history import rewind

            found = await session.act(lambda workspace: rewind.plan_rewind(workspace, place))
            go = Choice("go", "Continue from there", "z takes it back.")
            stay = Choice("", "Stay here")
            if not await self._conversation.agrees(
                "Continue from an earlier turn", found.describe(), stay, go
            ):
                return

            def act(workspace: Workspace) -> None:
                workspace.commit_hand_edits()
                rewind.rewind(workspace, found)

            await session.act(act)
            self.moved(
                f"You are on {found.name} now; {found.leaves} keeps the rest. z takes it back.",
                stays=True,
            )

        self.act(plan)

    def switch_to(self, name: str) -> None:
        """Switch to another branch; what is in the message box comes along."""

        async def plan(session: Session) -> None:
            from perdure.actions.history import branch

            before = session.info.branch
            if name == before:
                self._conversation.flash.show(f"You are on {name}.")
                return
            await session.act(lambda workspace: branch.check_out_branch(workspace, name))
            self.moved(f"You are on {name} now. z takes you back to {before}.")

        self.act(plan)

    def revert(self, commit: str) -> None:
        """Revert a change; replies that were given under it can stay, or be excluded."""

        async def plan(session: Session) -> None:
            from perdure.actions.history import revert as reverting

            found = await session.act(lambda workspace: reverting.plan_revert(workspace, commit))
            choices = [LEAVE]
            if found.turns:
                choices += [
                    Choice("keep", "Take it back", "She may keep that voice for a while."),
                    Choice("new", "Take it back, and begin a new conversation"),
                    Choice(
                        "aside",
                        "Take it back, and set those turns aside",
                        "Kept, but out of prompts.",
                    ),
                ]
            else:
                choices.append(Choice("keep", "Take it back"))
            then = await self._conversation.ask("Take back a change", found.describe(), *choices)
            if not then:
                self._conversation.flash.show("Nothing was changed.")
                return

            def act(workspace: Workspace) -> None:
                now = found
                if workspace.commit_hand_edits().committed:
                    now = reverting.plan_revert(workspace, commit)
                reverting.revert(workspace, now, then)

            await session.act(act)
            more = {
                "new": " The next message begins a new conversation.",
                "aside": " The turns under it are set aside.",
            }.get(then, "")
            self.moved(f"Taken back; the conversation stays.{more} z undoes it.", stays=True)

        self.act(plan)

    # -- what others do ------------------------------------------------------------------------

    @work(group="names", exclusive=True)
    async def read_names(self) -> None:
        """Read branches and tags again; an open panel reads its list again, too."""
        session = self._conversation.session
        if session is None:
            return
        from perdure.views import timeline

        names = await session.consult(timeline.read_ref_names)
        if names:
            self.names = names
            self._names_read(names)
            panel = open_panel(self.screen.app)
            if panel is not None:
                panel.refresh_list()

    @work(group="backups", exclusive=True)
    async def look_at_backups(self) -> None:
        """Say on the status line how backups are, and what two devices left to settle."""
        from perdure.views.proof import proof_state
        from perdure.views.remotes import open_places

        here = self._conversation
        if here.session is None or not here.is_ready or here.is_talking or here.is_acting:
            return
        # Where git's files are broken, whoever reads them for an act says how.
        with suppress(HistoryError):
            warning = await here.session.backup_warning()
            proof = await here.session.consult(proof_state)
            places = await here.session.consult(open_places)
            here.status.change(backup=warning, proof=str(proof or ""), conflicts=places or 0)

    @work(group="look")
    async def look(self) -> None:
        """Follow a branch that another program switched or moved.

        One look at a time, and none ends another: what it found is found once only.
        """
        here = self._conversation
        if here.is_looking:
            return
        if here.session is None or not here.is_ready or here.is_talking or here.is_acting:
            return
        here.is_looking = True
        try:
            notices = await here.session.look_again()
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            if str(error) != self._look_trouble:
                self._look_trouble = str(error)
                here.show_error(error)
            return
        finally:
            here.is_looking = False
        self._look_trouble = ""
        if notices is not None:
            here.read_again()
            here.show_info()
            for notice in notices:
                here.flash.show(notice.text, notice.level, stays=True)
        self._turns.go_on()


def _shown(place: str) -> str:
    if place == "HEAD":
        return "the end of this branch"
    return "this message" if "/" in place else "this change"
