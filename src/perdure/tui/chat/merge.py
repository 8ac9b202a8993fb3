"""Merging a branch from the screen, and telling of a merge that waits to be concluded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.tui.chat.history import SteeringScreen
from perdure.tui.dialogs.question import Choice
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.actions.history.merge import OpenJoin
    from perdure.git.repository.repository import Repository
    from perdure.tui.ports import ChatSession

_LOOK_SECONDS = 2.0
"""How often it is looked whether a merge was begun, settled or concluded by another program."""
_LEAVE = Choice("", "Leave it as it is")


class MergingScreen(SteeringScreen):
    """Merges, and knows the merge that is open here, whoever began it."""

    _merge: OpenJoin | None = None
    _merge_trouble = ""

    def on_mount(self) -> None:
        self.set_interval(_LOOK_SECONDS, self.look_at_merge)

    @property
    def open_join(self) -> OpenJoin | None:
        """The merge that is open."""
        return self._merge

    def history_opened(self) -> None:
        super().history_opened()
        self.look_at_merge()

    @work(group="merge", exclusive=True)
    async def look_at_merge(self) -> None:
        """Follow what became of an open merge; it is also read when a companion is opened."""
        session = self.session
        if session is None or self._talking or self._steering:
            return
        try:
            await self.read_merge(session)
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            if str(error) != self._merge_trouble:
                self._merge_trouble = str(error)
                self.tell_error(error)
        else:
            self._merge_trouble = ""

    async def read_merge(self, session: ChatSession) -> None:
        """Read what is open now, and show it. Raises HistoryError where git's files are broken."""
        found = await session.consult(_opened) or None
        if found != self._merge:
            before, self._merge = self._merge, found
            self._tell_merge(is_new=before is None)

    def _tell_merge(self, *, is_new: bool) -> None:
        found = self._merge
        self.status.tell(merge="" if found is None else _short(found))
        self.merge_known()
        if found is not None and is_new:
            self.flash.tell(
                f"A merge of {found.name} into {found.branch} is open: {_waits(found)}. "
                "/merge shows it.",
                "warning",
                stays=True,
            )

    def merge_known(self) -> None:
        """What is open was read; what stands over the talk may show it."""

    def action_merge(self) -> None:
        """What the open merge waits for."""
        if self._merge is None:
            self.flash.tell("No merge is open. m on a branch, in the timeline, merges it.")
        else:
            self.open_conflicts()

    def open_conflicts(self) -> None:
        """Show the list of conflicts."""

    def merge_branch(self, name: str) -> None:
        """Merge a branch into the one that is talked on; what would come of it is said before."""
        if self._merge is not None:
            self.open_conflicts()
            return

        async def plan(session: ChatSession) -> None:
            from perdure.actions.history import merge as merge_action

            found = await session.steer(lambda helm: merge_action.plan_join(helm, name))
            if found.plan.kind == "nothing":
                self.flash.tell(found.says()[0])
                return
            note = "z takes it back."
            if found.plan.conflicts:
                note = "Then you settle the files one by one, or give it up."
            go = Choice("go", f"Merge {name}", note)
            if not await self.wants(f"Merge {name}", found.says(), _LEAVE, go):
                self.flash.tell("Nothing was changed.")
                return
            done = await session.steer(lambda helm: merge_action.join(helm, name))
            if done.conflicts:
                await self.read_merge(session)
                self.open_conflicts()
            else:
                self.moved(f"{name} is merged into {found.plan.branch}. z takes it back.")

        self.steer(plan)

    def slash_commands(self) -> dict[str, Callable[[str], object]]:
        """Those of the talk, and the one that merges."""
        return {
            **super().slash_commands(),
            "/merge": lambda name: self.merge_branch(name) if name else self.action_merge(),
        }


def _opened(repo: Repository) -> OpenJoin | None:
    from perdure.actions.history import merge as merge_action
    from perdure.actions.workspace import Helm

    return merge_action.opened(Helm(repo))


def _waits(found: OpenJoin) -> str:
    files = "file" if found.waits == 1 else "files"
    return f"{found.waits} {files} to be settled" if found.waits else "all is settled"


def _short(found: OpenJoin) -> str:
    return f"merge open, {found.waits} to settle" if found.waits else "merge open, all settled"
