"""Warnings about a companion's files and backends, each given once a session."""

from __future__ import annotations

from collections.abc import Iterable

from perdure.actions.agreement import (
    different_settings,
    unagreed_notice,
    unagreed_settings,
)
from perdure.actions.notice_marks import mark_first
from perdure.actions.sync.moves import untold_moves
from perdure.actions.trust import unconfirmed_backends
from perdure.actions.turns.location import Location
from perdure.chat.turn.position import Position
from perdure.companion.errors import FileTrouble
from perdure.companion.names import title_from
from perdure.companion.persona.persona import PUT_BACK
from perdure.git.refs.table_stack import is_in_tables
from perdure.notice import Notice
from perdure.views.git_warnings import conversion_notice


class TurnNotices:
    """The notices of one session: what is wrong with files, backends and the index."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._index_trouble = ""
        self._said: set[object] = set()
        # As the session opens, it has said so itself.
        self._has_told_tables = is_in_tables(position.repo.git_dir)

    def conversion(self) -> list[Notice]:
        """That git has put the refs into tables meanwhile, and what the turn to come does then.

        Raises:
            UnsupportedRepository: nothing can be saved: there are linked work trees.
        """
        has_told, self._has_told_tables = self._has_told_tables, False
        repo = self._position.repo
        return conversion_notice(repo) if is_in_tables(repo.git_dir) and not has_told else []

    def unconfirmed(self) -> list[Notice]:
        """Backends and settings that came from outside and wait for a word; each is said once."""
        repo, companion = self._position.repo, self._position.companion
        written = companion.as_written or companion.settings
        names = {*companion.settings.backends, *written.backends}
        found = unconfirmed_backends(repo, companion.commit, names)
        told = self._once(((each.name, each.digest), each.notice) for each in found)
        different = different_settings(repo, written)
        if not different or different in self._said:
            return told
        self._said.add(different)
        settings = unagreed_settings(repo, companion.commit)
        return [*told, Notice(unagreed_notice(settings), "warning")]

    def index(self) -> str:
        """Why git's index could not follow the last turn, once for each reason; else ""."""
        trouble = self._position.repo.writer.index_trouble
        if not trouble or trouble == self._index_trouble:
            return ""
        self._index_trouble = trouble
        return f"The turn is saved, but git status is behind: {trouble}."

    def left_out(self) -> list[Notice]:
        """Text of the persona that does not come into prompts, once for each state of a file."""
        repo, companion = self._position.repo, self._position.companion
        return [
            Notice(f"{each}. {PUT_BACK[:1].upper()}{PUT_BACK[1:]}.")
            for each in companion.persona.left_out
            if mark_first(
                repo, "left-out-said", f"{each.path} {repo.oid(each.path, companion.commit)}"
            )
        ]

    def arrived(self) -> list[Notice]:
        """What a sync or a pull brought since this was asked last."""
        position = self._position
        moves = untold_moves(position.repo, position.branch)
        if not moves:
            return []
        from perdure.actions.sync.arrivals import arrival_notices

        return arrival_notices(position.repo, position.tip, moves)

    def location(self, location: Location) -> list[Notice]:
        """Why a turn goes where it goes, where that may surprise."""
        return self._joined(location) or self._edited(location)

    def _joined(self, location: Location) -> list[Notice]:
        """Which lines a conversation goes on from, where it is more than one."""
        if not (location.begins and location.head.joins):
            return []
        turns = [
            turn for end in location.head.ends if (turn := self._position.transcript.turn(end))
        ]
        words = [f"“{title_from((turn.message or turn.replies[0]).text, 40)}”" for turn in turns]
        return [
            Notice(
                "Conversations from two places have come together here. The next message "
                f"continues from {'both' if len(words) == 2 else 'all of it'}: "
                f"{', '.join(words[:-1])} and {words[-1]}."
            )
        ]

    def _edited(self, location: Location) -> list[Notice]:
        """That a conversation goes on elsewhere because its file is in somebody's editor."""
        if not location.begins or location.head.continues is None:
            return []
        transcript = self._position.transcript
        before = transcript.find(location.head.continues.conversation)
        if before is None:
            return []
        path = transcript.chunks[before.places[-1]].path
        if not self._position.repo.edits.is_edited(self._position.branch, path):
            return []
        return [
            Notice(
                f"{path} was edited by hand, so nothing is added to it: what you say goes into a "
                "new conversation. Commit that edit with git, or take it back, whenever you like.",
                "warning",
            )
        ]

    def unreadable_exclusions(self) -> list[Notice]:
        """Files that were to set something aside, and cannot be read; each is said once."""
        found = self._position.excluded().unreadable
        return self._once((text, f"It sets nothing aside: {text}") for text in found)

    def unreadable(self, troubles: Iterable[FileTrouble]) -> list[Notice]:
        """Lore, facts and summaries that cannot be read; each trouble is said once."""
        return self._once((each, f"Left out of the prompt: {each}") for each in troubles)

    def _once(self, warnings: Iterable[tuple[object, str]]) -> list[Notice]:
        """Warnings about what none was given of yet: each with what it is about."""
        fresh = {about: text for about, text in warnings if about not in self._said}
        self._said |= fresh.keys()
        return [Notice(text, "warning") for text in fresh.values()]
