"""Merging a branch, and showing a merge that is not concluded yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.plural import plural
from perdure.tui.dialogs.question import LEAVE, Choice
from perdure.tui.panel import open_panel
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.actions.history.merge import UnfinishedMerge
    from perdure.chat.session import Session
    from perdure.git.repository.repository import Repository
    from perdure.tui.chat.conversation import Conversation
    from perdure.tui.chat.history import HistoryController
    from perdure.tui.host import ChatHost


class MergeController:
    """Merges branches, and follows a merge that is open, whoever began it."""

    def __init__(
        self, conversation: Conversation, history: HistoryController, host: ChatHost
    ) -> None:
        """``host``: what the list of conflicts is given of the chat screen."""
        self._conversation = conversation
        self.screen = conversation.screen
        self._history = history
        self._host = host
        self._trouble = ""
        self.open_join: UnfinishedMerge | None = None
        """The merge that is open."""

    @work(group="merge", exclusive=True)
    async def look(self) -> None:
        """Follow an open merge, which other programs may settle or conclude."""
        here = self._conversation
        if here.session is None or here.is_talking or here.is_acting:
            return
        try:
            await self.read(here.session)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            if str(error) != self._trouble:
                self._trouble = str(error)
                here.show_error(error)
        else:
            self._trouble = ""

    async def read(self, session: Session) -> None:
        """Read what is open now, and show it. Raises HistoryError where git's files are broken."""
        found = await session.consult(_opened) or None
        if found != self.open_join:
            before, self.open_join = self.open_join, found
            self._show_state(is_new=before is None)

    def _show_state(self, *, is_new: bool) -> None:
        from perdure.tui.conflicts.screen import ConflictsScreen

        here, found = self._conversation, self.open_join
        here.status.change(merge="" if found is None else _short(found))
        panel = open_panel(self.screen.app)
        if isinstance(panel, ConflictsScreen):
            panel.refresh_list()
        if found is not None and is_new:
            here.flash.show(
                f"A merge of {found.name} into {found.branch} is open: {_waits(found)}. "
                "/merge shows it.",
                "warning",
                stays=True,
            )

    def show(self) -> None:
        """Show the conflicts of the open merge, in place of an open panel."""
        from perdure.tui.conflicts.screen import ConflictsScreen

        app, found = self.screen.app, self.open_join
        if found is None:
            self._conversation.flash.show(
                "No merge is open. To merge a branch, press m on it in the timeline."
            )
            return
        panel = open_panel(app)
        if isinstance(panel, ConflictsScreen):
            return
        if panel is not None:
            panel.dismiss()
        app.push_screen(ConflictsScreen(self._host, found, self._conversation.glyphs))

    def begin(self, name: str) -> None:
        """Merge a branch into the current one, after saying what would happen.

        Without a name, or with a merge open, show what that waits for.
        """
        if not name or self.open_join is not None:
            self.show()
            return

        async def plan(session: Session) -> None:
            from perdure.actions.history import merge as merge_action

            found = await session.act(
                lambda workspace: merge_action.plan_branch_merge(workspace, name)
            )
            if found.plan.kind == "nothing":
                self._conversation.flash.show(found.describe()[0])
                return
            note = "z takes it back."
            if found.plan.conflicts:
                note = "Then you resolve the files one by one, or abort the merge."
            go = Choice("go", f"Merge {name}", note)
            if not await self._conversation.agrees(f"Merge {name}", found.describe(), LEAVE, go):
                return
            done = await session.act(lambda workspace: merge_action.merge_branch(workspace, name))
            if done.conflicts:
                await self.read(session)
                self.show()
            else:
                self._history.moved(f"{name} is merged into {found.plan.branch}. z takes it back.")

        self._history.act(plan)


def _opened(repo: Repository) -> UnfinishedMerge | None:
    from perdure.actions.history import merge as merge_action
    from perdure.actions.workspace import Workspace

    return merge_action.unfinished_merge(Workspace(repo))


def _waits(found: UnfinishedMerge) -> str:
    return f"{plural(found.waits, 'file')} to resolve" if found.waits else "everything is resolved"


def _short(found: UnfinishedMerge) -> str:
    return f"merge open, {found.waits} to resolve" if found.waits else "merge open, all resolved"
