"""The repository side of a session: what is prepared before a reply, and what is committed after.

All methods block; a `Session` calls them on its worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from perdure.actions.backends.fingerprint import BackendNote, note_fingerprint
from perdure.actions.companion.readme import refresh_readme
from perdure.actions.hand_edits import (
    chunk_notices,
    commit_outside_edits,
    copy_notices,
    stray_branch_notices,
)
from perdure.actions.history.next_message import refuse_archived
from perdure.actions.history.visit import visit_notice
from perdure.actions.notice_marks import mark_first
from perdure.actions.trust import begin_record as begin_confirming
from perdure.actions.trust import unconfirmed_backends
from perdure.actions.turns.commit import CommittedTurn, TurnCommitter
from perdure.actions.turns.pending import PendingTurn, TurnKind
from perdure.actions.turns.place import Location
from perdure.actions.workspace import Workspace
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.keys import loaded_secrets
from perdure.backends.protocol import BackendSpec, Fingerprint
from perdure.chat.errors import NothingToAnswer
from perdure.chat.events import Saved
from perdure.chat.turn.branch import TalkBranch, branch_to_land_on, branch_to_talk_on
from perdure.chat.turn.position import Position
from perdure.chat.turn.prepared import PreparedTurn
from perdure.chat.turn.recovery import end_record, recover_turns
from perdure.chat.turn.salvage import Where, keep_foreign
from perdure.chat.turn.side_branch import join_sides
from perdure.companion.clock import now
from perdure.companion.errors import FileTrouble
from perdure.companion.ids import TurnId
from perdure.companion.names import title_from
from perdure.companion.persona.persona import PUT_BACK
from perdure.companion.secrets import mask_secrets
from perdure.companion.turns import (
    Message,
    Reply,
    Turn,
)
from perdure.git.errors import (
    BranchGone,
    BranchRewritten,
    HistoryError,
    UnknownRevision,
    storage_errors,
)
from perdure.git.objects.commit import is_before_git
from perdure.git.repository.foreign_words import take_draft
from perdure.git.repository.missing import hole
from perdure.git.repository.repository import Author, Repository
from perdure.git.repository.turn_journal import Journal
from perdure.notice import Notice
from perdure.prompt import PastTurn
from perdure.snapshot.author import author_of
from perdure.snapshot.companion import CompanionAt, read_companion
from perdure.snapshot.conversation.trailers import TurnFacts
from perdure.snapshot.conversation.transcript import last_turn
from perdure.snapshot.files import check_counts

_NO_BOUNDARIES = (
    "This persona has no boundaries file. Add the standard one with: perdure persona add-boundaries"
)

_ATTEMPTS = 5
_HOLE = (
    "Part of this history cannot be read: {}. What is said now is saved all the same. `git fsck` "
    "names what is missing; fetch it from another copy of this companion"
)
_CLOCK = (
    "The clock of this machine stands before 1970, where git has no time: commits get the time of "
    "the one before. Put the clock right"
)

_FROM_ELSEWHERE = (
    "This folder is a copy, was restored, or comes from somebody else: what perdure had kept in it "
    "for itself is not used here and lies in {}. The talk goes on in a conversation of its own, "
    "and backends are confirmed anew."
)
_NOT_KNOWN = (
    "{} cannot be written, so this folder is not known again: what perdure keeps in it for itself "
    "is set aside at each start, and backends are confirmed for one start only. Make that folder "
    "writable, or name another in XDG_DATA_HOME."
)
KEY_MASKED = (
    "Something that looks like a key was taken out before it was sent or saved; the rest is kept."
)


class TurnStore(Position):
    """One companion's repository: what is prepared, what is committed, what came from outside."""

    def __init__(
        self, repo: Repository, branch: str, start: str | None, companion: CompanionAt
    ) -> None:
        super().__init__(repo, branch, start, companion)
        self._index_trouble = ""
        self._waiting_said: set[tuple[str, str]] = set()
        self._asides_said: set[str] = set()
        self._unreadable_said: set[str] = set()
        self._stands = companion.commit
        self._is_detached = repo.head().branch is None
        self._prepared = (companion.commit, time.time())
        """The commit that the next prompt is made from, and when it was found."""
        self._told: set[str] = set()
        self._is_left = False
        """Whether a turn of this session waits in a journal that was set aside."""
        self._commit_notices: list[Notice] = []

    @classmethod
    def open(cls, path: Path) -> tuple[Self, list[Notice]]:
        """Open, recover, and tell what was found. Raises HistoryError, RequestProblem."""
        repo = Repository.open(path)
        notices: list[Notice] = []
        if repo.recovery_trouble:
            notices.append(Notice(repo.recovery_trouble, "warning"))
        talk = branch_to_talk_on(repo)
        notices += talk.notices
        companion = read_companion(repo, talk.start or talk.name)
        check_counts(repo, companion.commit)
        notices += _recovered(repo, Where(talk.name, talk.start, *_who(companion)))
        # What was recovered may have begun the branch.
        talk = branch_to_talk_on(repo)
        store = cls(repo, talk.name, talk.start, read_companion(repo, talk.start or talk.name))
        begin_confirming(repo)
        notices += store.look_again() or []
        notices += visit_notice(repo) + store.say_waiting()
        if not companion.persona.boundaries and mark_first(repo, "no-boundaries-said"):
            notices.append(Notice(_NO_BOUNDARIES))
        notices += store._say_left_out()
        folders = ("conversations", "alternatives", "backends.lock")
        notices += copy_notices(repo, [it for each in folders for it in repo.edits.copies(each)])
        notices += stray_branch_notices(repo)
        if trouble := hole(repo, store.tip):
            notices.append(Notice(_HOLE.format(trouble), "warning"))
        if is_before_git(now()):
            notices.append(Notice(_CLOCK, "warning"))
        return store, notices

    @property
    def base(self) -> str:
        """The commit that the next prompt is made from."""
        return self._prepared[0]

    def say_waiting(self) -> list[Notice]:
        """Listed backends that came from outside and wait to be confirmed; each is said once."""
        names = self.companion.settings.backends
        found = [
            each
            for each in unconfirmed_backends(self.repo, self.companion.commit, names)
            if (each.name, each.digest) not in self._waiting_said
        ]
        self._waiting_said |= {(each.name, each.digest) for each in found}
        return [Notice(each.notice, "warning") for each in found]

    @property
    def workspace(self) -> Workspace:
        """The same repository, as acts take it. Closing it is not the workspace's part."""
        workspace = Workspace(self.repo)
        workspace.lease = self.committer.lease
        return workspace

    def look_again(self) -> list[Notice] | None:
        """Follow where the branch, or HEAD, was moved between two turns; None: nowhere."""
        notices = self._follow_head()
        tip = self.tip
        if not notices and tip == self._stands:
            return None
        self._stands = tip
        self.companion = read_companion(self.repo, tip)
        self.transcript.refresh(tip)
        self.conversation, self.unanswered = None, ""
        if not self._fresh:
            self.look_at_last()
        return notices + self.say_waiting()

    def stands_at(self, commit: str) -> None:
        """Follow a commit of this session's own on top of the last one; not during a turn."""
        self._stands = commit
        self.companion = read_companion(self.repo, commit)
        self.transcript.refresh(commit)

    def prepare_turn(self, text: str) -> PreparedTurn:
        """Commit outside edits, find the turn's place, put the message on disk."""
        notices = self.commit_outside()
        refuse_archived(self.companion.settings)
        text, masked = mask_secrets(text, loaded_secrets())
        if masked:
            notices.append(Notice(KEY_MASKED, "warning"))
        at = now()
        settings = self.companion.settings
        greeting = self.opening()
        place = self.next_place(text, at)
        notices += self._say_joined(place) or self._say_edited(place)
        if place.begins:
            self._refresh_front_page(place)
        if not place.begins or place.head.continues is not None:
            greeting = None
        elif greeting is None:
            self.conversation = None
            greeting = self.opening()
        message = Message(settings.user, text, at)
        thread = self.thread_before(place)
        if greeting is not None:
            opened = Turn(0, None, (greeting,))
            thread.append(PastTurn(TurnId(place.conversation, 0), opened))
        thread.append(PastTurn(place.turn_id, Turn(place.number, message)))
        return self.begin_turn(TurnKind.NEW, place, message, thread, notices, greeting=greeting)

    def prepare_answer(self) -> PreparedTurn:
        """The last message, to be answered. Raises NothingToAnswer if it has its reply."""
        notices = self.commit_outside()
        refuse_archived(self.companion.settings)
        ends = self.ends_to_answer()
        conversation = (
            self.transcript.find(ends[0].id.conversation)
            if ends
            else self.transcript.last_conversation()
        )
        last = last_turn(self.transcript, conversation) if conversation is not None else None
        if conversation is None or last is None or not last.unanswered:
            raise NothingToAnswer("the last message has its reply.", next_step="Just say something")
        asked = TurnId(conversation.id, last.number)
        past = self.thread_to([end.id for end in ends] or [asked], keep=asked)
        place = None if ends else self.go_on(conversation)
        if place is not None:
            place = replace(place, number=last.number)
        else:
            place = (
                self.joining(ends, now()) if ends else self.continuing(conversation, last, now())
            )
            notices += self._say_joined(place) or self._say_edited(place)
        return self.begin_turn(TurnKind.REPLY, place, last.message, past, notices)

    def begin_turn(
        self,
        kind: TurnKind,
        location: Location,
        message: Message | None,
        thread: Sequence[PastTurn],
        notices: Sequence[Notice],
        *,
        greeting: Reply | None = None,
        began: str = "",
    ) -> PreparedTurn:
        """Journal a turn: from here on a crash loses none of its words."""
        pending = PendingTurn(
            kind, location, message, self.companion.name, self.branch, greeting, self.base
        )
        journal = Journal.begin(self.repo, pending.to_header())
        self.begun(location.conversation)
        return PreparedTurn(pending, tuple(thread), journal, tuple(notices), began)

    def _refresh_front_page(self, place: Location) -> None:
        """Commit the README as of the month that a conversation begins in."""
        commit = refresh_readme(
            self.repo,
            tip=self.tip,
            branch=self.branch,
            author=self.companion_author,
            name=self.companion.name,
            month=place.path.split("/")[1],
        )
        if commit is not None:
            self._follow_own(commit)

    def _follow_own(self, commit: str) -> None:
        """Go on from a commit of ours that changes nothing that a prompt is made from."""
        if self.repo.commit_info(commit).parents == (self.companion.commit,):
            self.companion = replace(self.companion, commit=commit)
        self._prepared = (commit, self._prepared[1])
        self.start = None

    def note_fingerprint(
        self, branch: str, spec: BackendSpec, found: Fingerprint, learned: RequestForm | None
    ) -> BackendNote:
        """Commit what a backend runs and how it is asked, where that is news."""
        gone = self._branch_is_gone()
        noted = note_fingerprint(
            self.repo,
            tip=self.base if gone else self.tip,
            branch=None if gone else branch,
            author=self.companion_author,
            spec=spec,
            found=found,
            learned=learned,
        )
        if noted.commit:
            self._follow_own(noted.commit)
        return noted

    def commit(self, prepared: PreparedTurn, reply: Reply | None, facts: TurnFacts) -> Saved:
        """Commit a prepared turn with its reply, or unanswered without one."""
        if reply is not None:
            # Where the commit has to wait, it is known all the same how the reply ended.
            prepared.journal.end(reply.text, end_record(reply))
        facts = replace(facts, base=self.companion.commit)
        committed, branch = self._commit(prepared, reply, facts)
        # It is saved: what else is there to tell must not fail it.
        with suppress(HistoryError), storage_errors("looking at the folder"):
            path = prepared.pending.location.path
            self._commit_notices += chunk_notices(self.repo, branch, path, committed.path)
        self.start = None
        self._stands = committed.commit
        turn = committed.turn
        self.conversation = committed.turn_id.conversation
        self.unanswered = turn.message.text if turn.message and turn.unanswered else ""
        return Saved(committed.turn_id, turn, committed.commit, branch)

    def _commit(
        self, prepared: PreparedTurn, reply: Reply | None, facts: TurnFacts
    ) -> tuple[CommittedTurn, str]:
        """Commit on the branch of the prompt, wherever git has brought it since; and its name."""
        pending, (base, since) = prepared.pending, self._prepared
        for attempt in range(_ATTEMPTS):
            talk = branch_to_land_on(
                self.repo, pending.branch, start=self.start, base=base, since=since
            )
            there = replace(pending, branch=talk.name, start=talk.start)
            try:
                committed = self.committer.commit(
                    there,
                    reply,
                    facts,
                    author=self.companion_author,
                    at=now(),
                    journal=prepared.journal,
                )
            except (BranchGone, BranchRewritten):
                # It was changed after the look.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            self._commit_notices += talk.notices
            return committed, talk.name
        raise AssertionError

    def commit_notices(self) -> list[Notice]:
        """What there is to tell of the turn that was committed last."""
        told, self._commit_notices = self._commit_notices, []
        behind = self.index_notice()
        return [*told, Notice(behind, "warning")] if behind else told

    def index_notice(self) -> str:
        """Why git's index could not follow the last turn, once for each reason; else ""."""
        trouble = self.repo.writer.index_trouble
        if not trouble or trouble == self._index_trouble:
            return ""
        self._index_trouble = trouble
        return f"The turn is saved, but git status is behind: {trouble}."

    def close(self) -> None:
        """Let go of the conversation and of the repository."""
        self.committer.lease.release()
        self.repo.close()

    def commit_outside(self) -> list[Notice]:
        """Follow HEAD, and commit what was edited by hand, apart from the turn to come."""
        notices = self._follow_head() + self._land_again()
        found = commit_outside_edits(self.repo, self.branch, self.human)
        tip = self.tip
        told = [Notice(text) for text in found.committed]
        if tip != self.companion.commit:
            had_boundaries = self.companion.persona.boundaries
            self.companion = read_companion(self.repo, tip)
            if had_boundaries and not self.companion.persona.boundaries:
                mark_first(self.repo, "no-boundaries-said")
                told.append(Notice(_NO_BOUNDARIES, "warning"))
        self._stands = tip
        self._prepared = (tip, time.time())
        self.transcript.refresh(tip)
        return (
            notices
            + told
            + self._say_left_out()
            + self.say_waiting()
            + [Notice(f"Not committed: {text}", "warning") for text in found.held]
            + copy_notices(self.repo, [*self.repo.edits.copies(), *found.copies])
            + self._say_unreadable_asides()
        )

    def _say_left_out(self) -> list[Notice]:
        """Text of the persona that does not come into prompts, once for each state of a file."""
        commit = self.companion.commit
        return [
            Notice(f"{each}. {PUT_BACK[:1].upper()}{PUT_BACK[1:]}.")
            for each in self.companion.persona.left_out
            if mark_first(
                self.repo, "left-out-said", f"{each.path} {self.repo.oid(each.path, commit)}"
            )
        ]

    def _say_joined(self, place: Location) -> list[Notice]:
        """Which lines a conversation goes on from, where it is more than one."""
        if not (place.begins and place.head.joins):
            return []
        turns = [turn for end in place.head.ends if (turn := self.transcript.turn(end))]
        words = [f"“{title_from((turn.message or turn.replies[0]).text, 40)}”" for turn in turns]
        return [
            Notice(
                "Talk from two places has come together here. It goes on from "
                f"{'both' if len(words) == 2 else 'all of it'}: {', '.join(words[:-1])} and "
                f"{words[-1]}."
            )
        ]

    def _say_edited(self, place: Location) -> list[Notice]:
        """That a talk goes on elsewhere because its file is in somebody's editor."""
        path = self.edited_chunk(place)
        if not path:
            return []
        return [
            Notice(
                f"{path} was edited by hand, so nothing is added to it: the talk goes on in a new "
                "conversation. Commit that edit with git, or take it back, when you like.",
                "warning",
            )
        ]

    def _say_unreadable_asides(self) -> list[Notice]:
        """Files that were to set something aside, and cannot be read; each is said once."""
        found = [text for text in self.excluded().unreadable if text not in self._asides_said]
        self._asides_said.update(found)
        return [Notice(f"Nothing is set aside by it: {text}", "warning") for text in found]

    def say_unreadable(self, troubles: Iterable[FileTrouble]) -> list[Notice]:
        """Lore, facts and summaries that cannot be read; each trouble is said once."""
        found = [text for text in map(str, troubles) if text not in self._unreadable_said]
        self._unreadable_said.update(found)
        return [Notice(f"Left out of the prompt: {text}", "warning") for text in found]

    def _land_again(self) -> list[Notice]:
        """Commit a turn of this session whose commit failed, before a new one is journaled."""
        self._is_left = self.repo.writer.set_aside_journal() or self._is_left
        if not self._is_left:
            return []
        where = Where(self.branch, self.start, *_who(self.companion))
        told = recover_turns(self.repo, self.committer, where)
        # A journal that cannot be opened now is looked for again.
        self._is_left = not told
        return told

    def _follow_head(self) -> list[Notice]:
        """Go where git was switched to between two turns, and say so."""
        state = self.repo.state_of_work()
        if state.is_rewriting:
            return self._move_to(branch_to_talk_on(self.repo))
        notices = self._say_once(join_sides(self.repo, self.human))
        head = self.repo.head()
        branch = head.branch if head.commit is not None else None
        if branch is None and self._branch_is_gone():
            return notices + self._move_to(branch_to_talk_on(self.repo))
        if branch is None:
            return notices + self._say_detached()
        self._is_detached = False
        if branch == self.branch:
            return notices
        switched = Notice(f"The branch was switched: the talk goes on, on {branch}.")
        return self._move_to(TalkBranch(branch, None, tuple(notices or [switched])))

    def _move_to(self, talk: TalkBranch) -> list[Notice]:
        """Go on, on another branch; nothing where the talk is there already."""
        if talk.name == self.branch:
            return []
        self.branch, self.start, self.conversation = talk.name, talk.start, None
        self._is_detached = self.repo.head().branch is None
        return list(talk.notices)

    def _say_once(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those that were not said in this session yet."""
        found = [each for each in notices if each.level != "warning" or each.text not in self._told]
        self._told.update(each.text for each in found)
        return found

    def _say_detached(self) -> list[Notice]:
        """Once, that git has taken the branch from under the talk, which stays on it."""
        if self._is_detached:
            return []
        self._is_detached = True
        unborn = self.repo.head().branch
        what = (
            f"The branch {unborn}, which is checked out now, has no commit yet"
            if unborn
            else "No branch is checked out any more"
        )
        return [
            Notice(
                f"{what}; the talk goes on, on {self.branch}. "
                f"The files here are another commit's until: perdure switch {self.branch}",
                "warning",
            )
        ]

    def _branch_is_gone(self) -> bool:
        """Whether the branch that was talked on was taken away meanwhile."""
        try:
            self.repo.resolve(f"refs/heads/{self.branch}")
        except UnknownRevision:
            return self.start is None
        return False


def _who(companion: CompanionAt) -> tuple[str, Author]:
    """The user's name, and the companion as an author."""
    return companion.settings.user, author_of(companion.name)


def _recovered(repo: Repository, where: Where) -> list[Notice]:
    """Commit what a crash left here, or had left where this folder comes from; tell of it."""
    # A folder that cannot be written can be read all the same.
    unknown = None
    with suppress(HistoryError):
        repo.state.own()
        unknown = repo.state.unknown_because_of
    told = [_FROM_ELSEWHERE.format(place) for place in repo.state.tell_set_aside()]
    if unknown is not None:
        told = [_NOT_KNOWN.format(unknown)]
    notices = [Notice(text, "warning") for text in told]
    committer = TurnCommitter(repo)
    notices += recover_turns(repo, committer, where)
    committer.lease.release()
    if repo.state.is_own():
        notices += [Notice(text) for text in keep_foreign(repo, committer, where)]
        take_draft(repo)
    return notices
