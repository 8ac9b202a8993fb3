"""What is written before and after a reply: the journal, then the commit.

All methods block; a `Session` calls them on its worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from perdure.actions.agreement import companion_here, look_again
from perdure.actions.backends.fingerprint import BackendNote, note_fingerprint
from perdure.actions.hand_edits import chunk_notices, commit_hand_edits, copy_notices
from perdure.actions.history.next_message import refuse_archived
from perdure.actions.notice_marks import mark_first
from perdure.actions.turns.commit import CommittedTurn, TurnCommitter
from perdure.actions.turns.location import Location
from perdure.actions.turns.pending import PendingTurn, TurnKind, end_record
from perdure.actions.workspace import Workspace
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.keys import loaded_secrets
from perdure.backends.protocol import BackendSpec, Fingerprint
from perdure.chat.errors import NothingToAnswer
from perdure.chat.events import Saved
from perdure.chat.turn.branch import branch_to_commit_on
from perdure.chat.turn.follow import BranchFollower
from perdure.chat.turn.notices import TurnNotices
from perdure.chat.turn.position import Position
from perdure.chat.turn.recovery import recover_turns
from perdure.chat.turn.salvage import salvage_target
from perdure.companion import readme
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.secrets import mask_secrets
from perdure.companion.turns import Message, Reply
from perdure.git.errors import BranchGone, BranchRewritten, HistoryError, storage_errors
from perdure.git.repository.repository import Change
from perdure.git.repository.turn_journal import Journal
from perdure.notice import Notice
from perdure.prompt import PastTurn
from perdure.snapshot.conversation.trailers import TurnFacts
from perdure.snapshot.conversation.transcript import last_turn

NO_BOUNDARIES = (
    "This persona has no boundaries file. Add the standard one with: perdure persona add-boundaries"
)

_ATTEMPTS = 5
KEY_MASKED = (
    "Something that looks like a key was removed before it was sent or saved; the rest is kept."
)


@dataclass(frozen=True, slots=True)
class PreparedTurn:
    """A pending turn that is journaled.

    Attributes:
        pending: the turn.
        thread: the conversation that is to be answered, its newest message last.
        journal: holds the turn until it is committed.
        notices: what there is to tell of the preparation.
        began: id of the operation that began a branch for it; "" without one.
    """

    pending: PendingTurn
    thread: tuple[PastTurn, ...]
    journal: Journal
    notices: tuple[Notice, ...]
    began: str = ""


class TurnStore:
    """The repository side of one session's turns.

    Attributes:
        position: where the session stands.
        notices: what it tells about the companion, each thing once.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self.notices = TurnNotices(position)
        self.repo = position.repo
        self._follower = BranchFollower(position)
        self._committer = TurnCommitter(position.repo, position.lease)
        self._seen_tip = position.companion.commit
        self._prompt_base = (position.companion.commit, time.time())
        """The commit that the next prompt is made from, and when it was found."""
        self._is_left = False
        """Whether a turn of this session waits in a journal that was set aside."""
        self._commit_notices: list[Notice] = []

    @property
    def base(self) -> str:
        """The commit that the next prompt is made from."""
        return self._prompt_base[0]

    @property
    def workspace(self) -> Workspace:
        """The same repository, as acts take it. Closing it is not the workspace's part."""
        workspace = Workspace(self.repo)
        workspace.lease = self.position.lease
        return workspace

    def look_again(self) -> list[Notice] | None:
        """Follow where the branch, or HEAD, was moved between two turns; None: nowhere."""
        notices = self._follower.follow()
        tip = self.position.tip
        if not notices and tip == self._seen_tip:
            return None
        self._seen_tip = tip
        self.position.reopen(tip)
        return notices + self.notices.arrived() + self.notices.unconfirmed()

    def follow_own_commit(self, commit: str) -> None:
        """Follow a commit of this session's own on top of the last one; not during a turn."""
        self._seen_tip = commit
        self.position.follow(commit)

    def prepare_turn(self, text: str) -> PreparedTurn:
        """Commit outside edits, find the turn's location, put the message on disk."""
        notices, settings = self.commit_outside(), self.position.companion.settings
        refuse_archived(settings)
        text, masked = mask_secrets(text, loaded_secrets())
        if masked:
            notices.append(Notice(KEY_MASKED, "warning"))
        at = now()
        message = Message(settings.user, text, at)
        following = self.position.next_turn(message, at)
        location = following.location
        notices += self.notices.location(location)
        if location.begins:
            self._refresh_readme(location)
        return self.begin_turn(
            TurnKind.NEW, location, message, following.thread, notices, greeting=following.greeting
        )

    def prepare_answer(self) -> PreparedTurn:
        """The last message, to be answered. Raises NothingToAnswer if it has its reply."""
        notices, position = self.commit_outside(), self.position
        refuse_archived(position.companion.settings)
        ends = position.ends_to_answer()
        conversation = (
            position.transcript.find(ends[0].id.conversation)
            if ends
            else position.transcript.last_conversation()
        )
        last = last_turn(position.transcript, conversation) if conversation is not None else None
        if conversation is None or last is None or not last.unanswered:
            raise NothingToAnswer(
                "the last message already has a reply.", next_step="Just say something"
            )
        asked = TurnId(conversation.id, last.number)
        past = position.thread_to([end.id for end in ends] or [asked], keep=asked)
        location = None if ends else position.next_in(conversation)
        if location is not None:
            location = replace(location, number=last.number)
        else:
            after = position.after_lines(ends) if ends else position.after_turn(conversation, last)
            location = position.begin(after, now())
            notices += self.notices.location(location)
        return self.begin_turn(TurnKind.REPLY, location, last.message, past, notices)

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
            kind,
            location,
            message,
            self.position.companion.name,
            self.position.branch,
            greeting,
            self.base,
        )
        journal = Journal.begin(self.repo, pending.to_header())
        self.position.began(location.conversation)
        return PreparedTurn(pending, tuple(thread), journal, tuple(notices), began)

    def _refresh_readme(self, location: Location) -> None:
        """Commit the README if it lacks the month of a conversation, or an avatar that exists.

        A page that is gone stays gone, and one that somebody else is writing at this moment is done
        another time: no turn waits for it.
        """
        repo, position, path = self.repo, self.position, readme.README_PATH
        tip, month = position.tip, location.path.split("/")[1]
        page = repo.read(path, tip)
        if page is None:
            return
        months = [each for each, is_folder in repo.names("conversations", tip) if is_folder]
        fresh = readme.updated_readme(
            page,
            name=position.companion.name,
            months=[*months, month],
            assets=[each for each, is_folder in repo.names("assets", tip) if not is_folder],
        )
        if fresh == page:
            return
        with suppress(HistoryError):
            commit = repo.commit(
                [Change(path, fresh)],
                message=f"companion: the README has {month}\n",
                author=position.companion_author,
                branch=position.branch,
                at=now(),
                expect={path: repo.oid(path, tip)},
                start=tip,
            )
            self._follow_own(commit)

    def _follow_own(self, commit: str) -> None:
        """Go on from a commit of ours that changes nothing that a prompt is made from."""
        if self.repo.commit_info(commit).parents == (self.position.companion.commit,):
            self.position.companion = replace(self.position.companion, commit=commit)
        self._prompt_base = (commit, self._prompt_base[1])
        self.position.start = None

    def note_fingerprint(
        self, branch: str, spec: BackendSpec, found: Fingerprint, learned: RequestForm | None
    ) -> BackendNote:
        """Commit what a backend runs and how it is asked, where that is news."""
        gone = self.position.branch_is_gone()
        noted = note_fingerprint(
            self.repo,
            tip=self.base if gone else self.position.tip,
            branch=None if gone else branch,
            author=self.position.companion_author,
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
        facts = replace(facts, base=self.position.companion.commit)
        committed, branch = self._commit(prepared, reply, facts)
        # It is saved: what else is there to tell must not fail it.
        with suppress(HistoryError), storage_errors("looking at the folder"):
            path = prepared.pending.location.path
            self._commit_notices += chunk_notices(self.repo, branch, path, committed.path)
        self.position.start = None
        self._seen_tip = committed.commit
        turn = committed.turn
        self.position.conversation = committed.turn_id.conversation
        self.position.unanswered = turn.message.text if turn.message and turn.unanswered else ""
        return Saved(committed.turn_id, turn, committed.commit, branch)

    def _commit(
        self, prepared: PreparedTurn, reply: Reply | None, facts: TurnFacts
    ) -> tuple[CommittedTurn, str]:
        """Commit on the branch of the prompt, wherever git has brought it since; and its name."""
        pending, (base, since) = prepared.pending, self._prompt_base
        for attempt in range(_ATTEMPTS):
            target = branch_to_commit_on(
                self.repo, pending.branch, start=self.position.start, base=base, since=since
            )
            there = replace(pending, branch=target.name, start=target.start)
            try:
                committed = self._committer.commit(
                    there,
                    reply,
                    facts,
                    author=self.position.companion_author,
                    at=now(),
                    journal=prepared.journal,
                )
            except (BranchGone, BranchRewritten):
                # It was changed after the look.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            self._commit_notices += target.notices
            return committed, target.name
        raise AssertionError

    def commit_notices(self) -> list[Notice]:
        """What there is to tell of the turn that was committed last."""
        notices, self._commit_notices = self._commit_notices, []
        behind = self.notices.index()
        return [*notices, Notice(behind, "warning")] if behind else notices

    def close(self) -> None:
        """Let go of the conversation and of the repository."""
        self.position.lease.release()
        self.repo.close()

    def commit_outside(self) -> list[Notice]:
        """Follow HEAD, and commit what was edited by hand, apart from the turn to come."""
        notices = self.notices.conversion() + self._follower.follow() + self._commit_left()
        found = commit_hand_edits(self.repo, self.position.branch, self.position.human)
        tip = self.position.tip
        came = self.notices.arrived() if tip != self._seen_tip else []
        committed = [Notice(text) for text in found.committed]
        if tip != self.position.companion.commit:
            had_boundaries = self.position.companion.persona.boundaries
            self.position.companion = companion_here(self.repo, tip)
            if had_boundaries and not self.position.companion.persona.boundaries:
                mark_first(self.repo, "no-boundaries-said")
                committed.append(Notice(NO_BOUNDARIES, "warning"))
        else:
            self.position.companion = look_again(self.repo, self.position.companion)
        self._seen_tip = tip
        self._prompt_base = (tip, time.time())
        self.position.transcript.refresh(tip)
        return (
            notices
            + came
            + committed
            + self.notices.left_out()
            + self.notices.unconfirmed()
            + [Notice(f"Not committed: {text}", "warning") for text in found.held]
            + copy_notices(self.repo, [*self.repo.edits.copies(), *found.copies])
            + self.notices.unreadable_exclusions()
        )

    def _commit_left(self) -> list[Notice]:
        """Commit a turn of this session whose commit failed, before a new one is journaled."""
        self._is_left = self.repo.writer.set_aside_journal() or self._is_left
        if not self._is_left:
            return []
        where = salvage_target(self.position.branch, self.position.start, self.position.companion)
        notices = recover_turns(self.repo, self._committer, where)
        # A journal that cannot be opened now is looked for again.
        self._is_left = not notices
        return notices
