"""Which backend answers next: the order of companion.yaml, or what the user chose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from perdure.actions.backends.fingerprint import known_form
from perdure.actions.backends.token_corrections import Corrections
from perdure.actions.history.next_message import starts_conversation
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.protocol import Backend, BackendSpec, Fingerprint
from perdure.chat.events import Emit, Event, Failed, ReplyPiece, ReplyStarted
from perdure.chat.reply.prompt import PreviousChoice, PromptSources, previous_choice
from perdure.chat.reply.recall import RecalledTurns as Recalled
from perdure.chat.reply.recall import Recaller, RecallRequest
from perdure.chat.reply.stream import ReplyRequest, StreamedReply
from perdure.chat.routing.backend_set import (
    BackendChoice,
    BackendEntry,
    BackendOrder,
    BackendSet,
    find,
    listed_backends,
)
from perdure.chat.routing.failover import RoutedReply, route_reply
from perdure.chat.routing.switch import backend_choices, look_up, put_first
from perdure.chat.turn.store import PreparedTurn, TurnStore
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.errors import Problem
from perdure.notice import Notice
from perdure.prompt import PastTurn
from perdure.snapshot.conversation.merged_thread import whole_history
from perdure.snapshot.conversation.trailers import TurnFacts
from perdure.snapshot.errors import NoBackend
from perdure.snapshot.memory import MemoryAt, read_memory

T = TypeVar("T")


class Work(Protocol):
    """Runs a call on the thread that the repository belongs to."""

    async def __call__(self, call: Callable[[], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Switch:
    """Who speaks next, and what else there is to tell."""

    candidate: BackendChoice
    notices: tuple[Notice, ...] = ()


class Router:
    """The backends of a session, and which of them is asked. Used on the event loop."""

    def __init__(self, store: TurnStore, backends: BackendSet, work: Work) -> None:
        self._store = store
        self._backends = backends
        self._work = work
        self._unavailable: set[str] = set()
        self.corrections = Corrections(store.repo.cache_dir)
        self.recaller = Recaller(store.repo.path)
        self.last_backend = backends.first()

    @property
    def first(self) -> Backend:
        """The one that is listed first."""
        return self._backends.first()

    @property
    def next_backend(self) -> Backend:
        """Who is asked next."""
        return self._backends.next()

    @property
    def once(self) -> bool:
        """Whether that holds for one reply only."""
        return self._backends.chosen is not None

    @property
    def unavailable(self) -> bool:
        """Whether the one that is asked next did not answer when it was asked last."""
        return self.next_backend.spec.name in self._unavailable

    # Switching

    async def candidates(self) -> list[BackendChoice]:
        """All backends that could be switched to, the listed ones first. None is opened."""
        if self._backends.fixed:
            rows = [(found, at) for at, found in enumerate(self._backends.listed, 1)]
        else:
            rows = await self._work(lambda: backend_choices(self._store))
        return [self._backends.candidate(found, order) for found, order in rows]

    async def choose_next(self, name: str) -> Switch:
        """For the next reply only. Raises as `Session.speak_next` does."""
        found, notices = await self._look_up(name)
        self._backends.chosen = found
        names = [each.spec.name for each in self._backends.listed]
        order = names.index(name) + 1 if name in names else 0
        return Switch(self._backends.candidate(found, order), tuple(notices))

    async def choose_from_now(self, name: str) -> Switch:
        """For good. Raises as `Session.speak_from_now` does."""
        found, notices = await self._look_up(name)
        if self._backends.fixed:
            listed = [found, *(each for each in self._backends.listed if each.spec.name != name)]
        else:
            listed, more = await self._work(lambda: put_first(self._store, name))
            notices += more
        self._backends.chosen = None
        self._backends.follow(listed)
        return Switch(self._backends.candidate(found, 1), tuple(notices))

    async def _look_up(self, name: str) -> tuple[BackendEntry, list[Notice]]:
        """A backend that can be used, and what there is to tell."""
        notices: list[Notice] = []
        if not self._backends.fixed:
            found, notices = await self._work(lambda: look_up(self._store, name))
        else:
            known = {each.spec.name: each for each in self._backends.listed}
            if name not in known:
                raise NoBackend(
                    f"there is no backend {name!r}", next_step=f"there are: {', '.join(known)}"
                )
            found = known[name]
        self._backends.check(found)
        return found, notices

    def take_chosen(self) -> BackendEntry | None:
        """Who is to give the reply that is asked for now; a later choice is for the one after."""
        chosen, self._backends.chosen = self._backends.chosen, None
        return chosen

    def give_back(self, chosen: BackendEntry | None) -> None:
        """No turn has begun: the choice stands, unless there is a newer one."""
        self._backends.chosen = self._backends.chosen or chosen

    # Answering

    async def answer(
        self, prepared: PreparedTurn, chosen: BackendEntry | None, stop: asyncio.Event, emit: Emit
    ) -> RoutedReply:
        """Ask the backends that the tree of this turn lists. What fails is in the answer.

        Args:
            prepared: the turn.
            chosen: who is to answer first, where the user said so.
            stop: set where the user wants no more.
            emit: takes the events.
        """
        pending = prepared.pending
        try:
            order = await self._backend_order(chosen)
            material = await self.material(prepared.thread, emit)
        except Problem as problem:
            failed = Failed(problem.what, "Your message is kept.", problem.next_step)
            streamed = StreamedReply(failure=failed, ended_at=now())
            return RoutedReply(self.last_backend, streamed, TurnFacts(turn=pending.turn_id))

        async def saw(
            spec: BackendSpec, found: Fingerprint, learned: RequestForm | None
        ) -> RequestForm:
            note = partial(self._store.note_fingerprint, pending.branch, spec, found, learned)
            noted = await self._work(note)
            if noted.message:
                emit(Notice(noted.message, "warning"))
            return noted.form

        request = ReplyRequest(
            companion=self._store.position.companion,
            turn=pending.turn_id,
            thread=prepared.thread,
            backend=order.order[0],
            journal=prepared.journal,
            material=material,
            stop=stop,
            saw=saw,
            corrections=self.corrections,
        )
        answered = await route_reply(request, order, self._telling_who_is_back(emit))
        self._unavailable |= answered.absent
        self.last_backend = answered.backend
        return answered

    async def form(self, backend: Backend) -> RequestForm:
        """How requests are sent to an open backend, as it is known now.

        Raises:
            BackendError, HistoryError: it cannot be asked what it runs, or the lock not be read.
        """
        found = await backend.fingerprint()
        repo, rev = self._store.repo, self._store.position.companion.commit
        return await self._work(lambda: known_form(repo, rev, backend.spec, found))

    async def material(
        self, thread: tuple[PastTurn, ...], emit: Emit | None = None, *, wait: float | None = None
    ) -> PromptSources:
        """What a prompt is made from beside persona and conversation. Raises HistoryError.

        Args:
            thread: the conversation.
            emit: called with files that cannot be read.
            wait: seconds that recall may take; as long as a turn waits without.
        """
        store = self._store
        companion, excluded = store.position.companion, await self._work(store.position.excluded)

        settings = companion.settings
        with_recall = settings.memory.recall and settings.context.recall_tokens != 0

        def read() -> tuple[MemoryAt, PreviousChoice | None, list[Notice], tuple[PastTurn, ...]]:
            conversations = {past.id.conversation for past in thread}
            memory = read_memory(store.repo, companion.commit, excluded, conversations)
            previous = previous_choice(store.repo, companion.commit)
            troubles = store.notices.unreadable(memory.troubles) if emit is not None else []
            alone = _stays_alone(thread, previous) or starts_conversation(
                store.repo, companion.commit
            )
            history = (
                whole_history(store.position.transcript, thread, excluded=excluded)
                if with_recall and not alone
                else ()
            )
            return memory, previous, troubles, tuple(history)

        async def recall(sent: frozenset[TurnId]) -> Recalled:
            wanted = RecallRequest(
                companion.commit, thread, sent, excluded, companion.settings.her_names
            )
            return await self.recaller.find(wanted, wait=wait)

        memory, previous, notices, history = await self._work(read)
        if emit is not None:
            for notice in notices:
                emit(notice)
        return PromptSources(memory, previous, recall if settings.memory.recall else None, history)

    async def _backend_order(self, chosen: BackendEntry | None) -> BackendOrder:
        """The backends as the tree has them; a file that was edited meanwhile counts."""
        if self._backends.fixed:
            return self._backends.follow(self._backends.listed, chosen)
        repo, rev = self._store.repo, self._store.position.companion.commit

        def read() -> tuple[list[BackendEntry], BackendEntry | None]:
            again = find(repo, rev, chosen.spec.name) if chosen is not None else None
            return listed_backends(repo, rev), again

        listed, again = await self._work(read)
        return self._backends.follow(listed, again)

    def _telling_who_is_back(self, emit: Emit) -> Emit:
        """Hand events on; the first word of one that did not answer before is announced."""
        speaking = ""

        def announced(event: Event) -> None:
            nonlocal speaking
            if isinstance(event, ReplyStarted):
                speaking = event.backend
            elif isinstance(event, ReplyPiece) and speaking in self._unavailable:
                self._unavailable.discard(speaking)
                emit(Notice(f"{speaking} answers again."))
            emit(event)

        return announced

    async def learn(self, answered: RoutedReply) -> None:
        """Take over how many tokens the backend counted in the prompt."""
        made, finished = answered.streamed.counted, answered.streamed.finished
        if made is None or finished is None or finished.usage.prompt is None:
            return
        spec, reported = answered.backend.spec, finished.usage.prompt
        learn = self.corrections.learn
        await self._work(lambda: learn(spec, made.tokenizer, made.counted, reported))

    async def follow_tree(self) -> None:
        """Take over what companion.yaml lists now: the branch was moved, or is another one."""
        if not self._backends.fixed:
            repo, rev = self._store.repo, self._store.position.companion.commit
            self._backends.follow(await self._work(lambda: listed_backends(repo, rev)))

    # Letting go

    async def let_go(self) -> None:
        """Close the drivers that nobody needs any more. Not while a reply is written."""
        self._backends.follow(self._backends.listed)
        await self._backends.close_retired()

    async def close(self) -> None:
        """Let go of every model and connection."""
        await self.recaller.close()
        await self._backends.close()


def _stays_alone(thread: tuple[PastTurn, ...], previous: PreviousChoice | None) -> bool:
    """Whether the turn before was sent without earlier conversations, in the same thread.

    A conversation that began by itself, as after a revert, goes on so; and its front stays the
    same.
    """
    return previous is not None and any(past.id == previous.choice.window for past in thread)
