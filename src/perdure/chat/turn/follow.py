"""Following the branch that git has checked out between two turns."""

from __future__ import annotations

from collections.abc import Iterable

from perdure.chat.turn.branch import current_branch
from perdure.chat.turn.position import Position
from perdure.chat.turn.side_branch import TurnBranch, join_sides
from perdure.notice import Notice


class BranchFollower:
    """Moves the position of a session to the branch that is checked out."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._is_detached = position.repo.head().branch is None
        self._said: set[str] = set()

    def follow(self) -> list[Notice]:
        """Go where git was switched to between two turns, and say so."""
        state = self._position.repo.state_of_work()
        if state.is_rewriting:
            return self._move_to(current_branch(self._position.repo))
        notices = self._first_time(join_sides(self._position.repo, self._position.human))
        head = self._position.repo.head()
        branch = head.branch if head.commit is not None else None
        if branch is None and self._position.branch_is_gone():
            return notices + self._move_to(current_branch(self._position.repo))
        if branch is None:
            return notices + self._detached_notice()
        self._is_detached = False
        if branch == self._position.branch:
            return notices
        switched = Notice(f"The branch was switched: the conversation continues on {branch}.")
        return self._move_to(TurnBranch(branch, None, tuple(notices or [switched])))

    def _move_to(self, target: TurnBranch) -> list[Notice]:
        """Go on, on another branch; nothing where the chat is there already."""
        if target.name == self._position.branch:
            return []
        self._position.switch(target.name, target.start)
        self._is_detached = self._position.repo.head().branch is None
        return list(target.notices)

    def _first_time(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those that were not said in this session yet."""
        found = [each for each in notices if each.level != "warning" or each.text not in self._said]
        self._said.update(each.text for each in found)
        return found

    def _detached_notice(self) -> list[Notice]:
        """Once, that git has taken the branch from under the chat, which stays on it."""
        if self._is_detached:
            return []
        self._is_detached = True
        unborn, branch = self._position.repo.head().branch, self._position.branch
        what = (
            f"The branch {unborn} is checked out now but has no commit yet"
            if unborn
            else "No branch is checked out now"
        )
        return [
            Notice(
                f"{what}; the conversation continues on {branch}. Until you run perdure switch "
                f"{branch}, the files here belong to another commit.",
                "warning",
            )
        ]
