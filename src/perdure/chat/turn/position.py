"""Where a session stands: its branch, its conversation, the next turn's location, the thread.

All methods block; a `Session` calls them on its worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from perdure.actions.agreement import companion_here
from perdure.actions.history.next_message import continues_from, starts_conversation
from perdure.actions.lease import ConversationLease
from perdure.actions.turns.location import (
    Location,
    ended,
    new_conversation,
    next_in,
    start_after_newest,
)
from perdure.companion.clock import now
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.names import title_from
from perdure.companion.persona.persona import fill
from perdure.companion.turns import Message, Reply, Turn
from perdure.git.operations.branches import branch_tip
from perdure.git.repository.repository import Author, Repository
from perdure.prompt import PastTurn
from perdure.snapshot.author import author_of, human_of
from perdure.snapshot.companion import CompanionAt
from perdure.snapshot.conversation.heads import LineEnd, open_ends
from perdure.snapshot.conversation.merged_thread import merged_thread
from perdure.snapshot.conversation.transcript import ConversationRef, Transcript, last_turn
from perdure.snapshot.excluded import Excluded, read_excluded


@dataclass(frozen=True, slots=True)
class NextTurn:
    """Where a message goes, and what it finds there.

    Attributes:
        location: the location.
        thread: the turns before it that prompts may hold, and itself with its message.
        greeting: what its conversation opens with; None where it goes on, or without greetings.
    """

    location: Location
    thread: tuple[PastTurn, ...]
    greeting: Reply | None


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a new conversation goes on from.

    Attributes:
        ends: the turns before it, the newest line's first; empty where it starts afresh.
        title: the title that it takes over; "" for one of its own.
    """

    ends: tuple[TurnId, ...] = ()
    title: str = ""


class Position:
    """Where a session stands on one branch.

    Attributes:
        repo: the repository.
        branch: the branch that turns go to.
        start: the commit at which that branch begins, where it is not there yet.
        companion: the companion as of the branch's tip when it was last looked at.
        transcript: every conversation on the branch, as of then.
        lease: of the conversation that is written.
        conversation: the one that the next message belongs to; None opens one.
        unanswered: text of a last message that waits for its reply; empty without one.
    """

    def __init__(
        self, repo: Repository, branch: str, start: str | None, companion: CompanionAt
    ) -> None:
        self.repo = repo
        self.branch = branch
        self.start = start
        self.companion = companion
        self.transcript = Transcript(repo, companion.commit)
        self.lease = ConversationLease(repo)
        self.conversation: ConversationId | None = None
        self.unanswered = ""
        self._fresh = False
        self._greeting = 0
        self._look_at_last()

    @property
    def companion_author(self) -> Author:
        """She: the author of turns."""
        return author_of(self.companion.name)

    @property
    def human(self) -> Author:
        """The human: git's identity, or the companion's user."""
        return human_of(self.repo, self.companion.settings.user)

    @property
    def tip(self) -> str:
        """The commit that the next turn follows; the branch may not be there yet."""
        known = branch_tip(self.repo, self.branch) or self.start
        return known or self.repo.resolve(f"refs/heads/{self.branch}")

    def branch_is_gone(self) -> bool:
        """Whether the branch was deleted meanwhile."""
        return self.start is None and branch_tip(self.repo, self.branch) is None

    # Following the branch

    def switch(self, branch: str, start: str | None) -> None:
        """Go on, on another branch."""
        self.branch, self.start, self.conversation = branch, start, None

    def follow(self, commit: str) -> None:
        """Read the companion as of a commit of the branch."""
        self.companion = companion_here(self.repo, commit)
        self.transcript.refresh(commit)

    def reopen(self, commit: str) -> None:
        """The same, and find the conversation that goes on there."""
        self.follow(commit)
        self.conversation, self.unanswered = None, ""
        if not self._fresh:
            self._look_at_last()

    # Before the first message

    def opening(self) -> Reply | None:
        """The greeting for a conversation that is about to begin; None in mid-conversation."""
        return self._chosen_greeting(now()) if self.conversation is None else None

    def next_greeting(self) -> Reply | None:
        """Let another greeting open the conversation; `opening` as it is then."""
        self._greeting += 1
        return self.opening()

    def close_conversation(self) -> None:
        """The next turn opens a conversation."""
        self._fresh = True
        self.conversation = None
        self.unanswered = ""

    def began(self, conversation: ConversationId) -> None:
        """The next turn belongs to this conversation."""
        self._fresh = False
        self._greeting = 0
        self.conversation = conversation

    # The location of the next turn

    def next_turn(self, message: Message, at: datetime) -> NextTurn:
        """Where a message goes, and the thread that it ends."""
        found = self._next(at)
        location = found if isinstance(found, Location) else self.begin(found, at, message.text)
        before = self.thread_before(location)
        afresh = location.begins and location.head.continues is None
        greeting = self._chosen_greeting(at) if afresh else None
        if greeting is not None:
            before.append(PastTurn(TurnId(location.conversation, 0), Turn(0, None, (greeting,))))
        turn = PastTurn(location.turn_id, Turn(location.number, message))
        return NextTurn(location, (*before, turn), greeting)

    def thread_to_come(self, text: str = "…") -> tuple[PastTurn, ...]:
        """The thread as the next message will find it, with a made-up message at its end."""
        self.transcript.refresh(self.tip)
        at = now()
        return self.next_turn(Message(self.companion.settings.user, text, at), at).thread

    def begin(self, after: Continuation, at: datetime, text: str = "") -> Location:
        """A location in a new conversation; ``text`` names one that takes no title over."""
        settings = self.companion.settings
        return new_conversation(
            start_after_newest(self.transcript, at),
            title=after.title or title_from(text),
            participants=(settings.user, settings.name),
            continues=after.ends[0] if after.ends else None,
            joins=after.ends[1:],
        )

    def _next(self, at: datetime) -> Location | Continuation:
        """The location behind the last turn, or what a new conversation goes on from."""
        if self._fresh or starts_conversation(self.repo, self.companion.commit):
            return Continuation()
        after = continues_from(self.repo, self.branch, self.companion.commit)
        ends = self.open_ends()
        if ends and after in {None, *(end.id for end in ends)}:
            return self.after_lines(ends)
        if after is not None:
            return Continuation((after,))
        policy = self.companion.settings.conversation
        own = self.transcript.find(self.conversation) if self.conversation else None
        conversation = own or self.transcript.last_conversation()
        last = last_turn(self.transcript, conversation) if conversation else None
        if conversation is None or ended(last, at, policy):
            return Continuation()
        full = conversation.chunk_count >= policy.max_chunks
        location = None if full else self.next_in(conversation)
        return location if location is not None else self.after_turn(conversation, last)

    def next_in(self, conversation: ConversationRef) -> Location | None:
        """The place behind the last turn, or None where this session may not append there."""
        lease = self.lease.acquire(str(conversation.id))
        if lease is None:
            return None
        return next_in(self.repo, self.transcript, conversation, lease, self.branch)

    def after_turn(self, conversation: ConversationRef, last: Turn | None) -> Continuation:
        """Going on from another conversation's last turn."""
        ends = (TurnId(conversation.id, last.number),) if last is not None else ()
        return Continuation(ends, self.transcript.title(conversation))

    def after_lines(self, ends: Sequence[LineEnd]) -> Continuation:
        """Going on from several lines."""
        newest = self.transcript.find(ends[0].id.conversation)
        title = self.transcript.title(newest) if newest is not None else ""
        return Continuation(tuple(end.id for end in ends), title)

    def open_ends(self) -> tuple[LineEnd, ...]:
        """Where the conversation stands after lines came together; none once it has ended."""
        policy = self.companion.settings.conversation
        pause = timedelta(hours=policy.idle_hours)
        ends = open_ends(self.repo, self.transcript, self.companion.commit, pause)
        return () if ends and ended(ends[0].turn, now(), policy) else ends

    def ends_to_answer(self) -> tuple[LineEnd, ...]:
        """The same, a message that waits for its reply first, the newest word next."""
        return tuple(sorted(self.open_ends(), key=lambda end: not end.turn.unanswered))

    # The thread so far

    def excluded(self) -> Excluded:
        """What is kept out of prompts."""
        return read_excluded(self.repo, self.companion.commit)

    def thread_before(self, location: Location) -> list[PastTurn]:
        """The turns that a new one at ``place`` follows."""
        if location.oid is None:
            return self.thread_to(location.head.ends)
        return self.thread_to((TurnId(location.conversation, location.number - 1),))

    def thread_to(self, ends: Sequence[TurnId], keep: TurnId | None = None) -> list[PastTurn]:
        """The turns up to these, without what is set aside; ``keep`` stays, and stands last."""
        return merged_thread(self.transcript, ends, excluded=self.excluded(), keep=keep)

    def _chosen_greeting(self, at: datetime) -> Reply | None:
        """The greeting whose turn it is, filled in; None where the persona has none."""
        greetings = self.companion.persona.greetings
        if not greetings:
            return None
        chosen = (len(self.transcript.conversations()) + self._greeting) % len(greetings)
        settings = self.companion.settings
        text = fill(greetings[chosen].text, char=settings.name, user=settings.user).strip()
        return Reply(settings.name, text, at) if text else None

    def _look_at_last(self) -> None:
        """What the newest conversation leaves open when a session begins."""
        conversation = self.transcript.last_conversation()
        last = last_turn(self.transcript, conversation) if conversation else None
        if conversation is None or last is None:
            return
        commit = self.companion.commit
        if starts_conversation(self.repo, commit):
            return
        after = continues_from(self.repo, self.branch, commit)
        if after is not None:
            self.conversation = after.conversation
            return
        ends = self.ends_to_answer()
        if ends:
            last, conversation = ends[0].turn, self.transcript.find(ends[0].id.conversation)
        if conversation is None or ended(last, now(), self.companion.settings.conversation):
            return
        self.conversation = conversation.id
        if last.unanswered and last.message is not None:
            self.unanswered = last.message.text
