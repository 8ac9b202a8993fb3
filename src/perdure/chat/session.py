"""A companion opened to chat with: both faces hold a `Session` and read one turn after another.

Everything that touches the repository runs on one worker thread, so the caller's event loop stays
free and the repository is never used by two threads at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from perdure.actions.workspace import Workspace
from perdure.backends.drivers import make_backend, make_counter
from perdure.backends.hosted.server_backend import ServerBackend
from perdure.backends.protocol import Backend
from perdure.chat.background.memory import BackgroundMemory
from perdure.chat.background.prefill import Prefill
from perdure.chat.background.sync import sync_at_exit
from perdure.chat.errors import SessionClosed
from perdure.chat.events import Event, SessionInfo
from perdure.chat.routing.backend_set import BackendChoice, BackendSet, Make, listed_backends
from perdure.chat.routing.router import Router, Switch
from perdure.chat.runner import TurnRunner
from perdure.chat.turn.open import open_store
from perdure.chat.turn.regenerate import prepare_another
from perdure.chat.turn.store import TurnStore
from perdure.companion.turns import Reply
from perdure.git.errors import storage_errors
from perdure.git.maintenance.refresh_timeline import start_if_missing
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.views.git_warnings import git_warnings
from perdure.views.proof import due_notices, lone_copy_notices

if TYPE_CHECKING:
    from perdure.views.why.explain import Explanation
from perdure.errors import Problem

T = TypeVar("T")


async def _on_worker(worker: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    """A call that touches the repository; what the disk refuses becomes an error."""

    def ask() -> T:
        with storage_errors("reading or writing the companion's folder"):
            return call()

    return await asyncio.get_running_loop().run_in_executor(worker, ask)


class Session:
    """One companion, one branch, one turn at a time."""

    def __init__(self, store: TurnStore, backends: BackendSet, worker: ThreadPoolExecutor) -> None:
        self._store = store
        self._worker = worker
        self._closed = False
        self._is_chat = False
        self._router = Router(store, backends, self._work)
        self._prefill = Prefill(store, self._router, self._work)
        self._memory = BackgroundMemory(store, self._router, self._work, self._prefill.begin)
        self._runner = TurnRunner(store, self._router, self._memory, self._prefill, self._work)
        self.notices: list[Notice] = []

    @classmethod
    async def open(
        cls, path: Path, *, backends: Sequence[Backend] = (), make: Make = make_backend
    ) -> Session:
        """Open the companion at ``path``; what a crash left behind is committed first.

        ``backends`` take the place of those that companion.yaml lists; ``make`` makes a driver.

        Raises:
            RequestProblem, HistoryError, CompanionProblem, BackendError: each says the next step.
        """
        worker = ThreadPoolExecutor(1, thread_name_prefix="perdure-repository")
        try:
            store, notices = await _on_worker(worker, lambda: open_store(path))
            notices += await _on_worker(worker, lambda: git_warnings(store.repo))
            notices += await _on_worker(worker, lambda: due_notices(store.repo))
            said = store.position.transcript
            notices += await _on_worker(worker, lambda: lone_copy_notices(store.repo, said))
            await _on_worker(worker, lambda: start_if_missing(store.repo.git_dir))
            backend_set = BackendSet(backends, make)
            if not backend_set.fixed:
                rev = store.position.companion.commit
                found = await _on_worker(worker, lambda: listed_backends(store.repo, rev))
                backend_set.follow(found)
        except BaseException:
            worker.shutdown(wait=False)
            raise
        session = cls(store, backend_set, worker)
        session.notices = notices
        return session

    @property
    def info(self) -> SessionInfo:
        """The state of things for a status line."""
        companion = self._store.position.companion
        last, following = self._router.last_backend, self._router.next_backend
        return SessionInfo(
            companion=companion.name,
            user=companion.settings.user,
            branch=self._store.position.branch,
            backend=last.spec.name,
            model=last.spec.model,
            rehearsal=following.rehearsal,
            conversation=self._store.position.conversation,
            window=self._runner.window,
            used=self._runner.used,
            saved_at=self._runner.saved_at,
            path=self._store.repo.path,
            next_backend=following.spec.name,
            next_model=following.spec.model,
            once=self._router.once,
            unavailable=self._router.unavailable,
        )

    @property
    def unanswered(self) -> str:
        """The text of a last message that waits for its reply; empty without one."""
        return self._store.position.unanswered

    @property
    def busy(self) -> bool:
        """True while a turn is running."""
        return self._runner.busy

    def opening(self) -> Reply | None:
        """The greeting that the next message will be sent under; None in mid-conversation."""
        return self._store.position.opening()

    async def prepare(self) -> None:
        """Load the model ahead of the first message.

        Raises:
            BackendError: it cannot be reached, or says on opening that key or model are wrong.

        A model of this machine goes on to read what will stand before that message, behind this
        call; a hosted one would charge for it.
        """
        first = self._router.first
        await first.open()
        self._runner.window = await first.context_window()
        if isinstance(first, ServerBackend) and first.doubt is not None:
            raise first.doubt
        if not (self._prefill.has_begun or self.busy):
            await self._prefill.begin()

    def remember(self, tell: Callable[[Notice], None]) -> None:
        """From now on, write summaries and propose facts between turns (companion.yaml `memory`).

        It is a chat, then, and no single message: what is new is synced when it is left.

        Args:
            tell: called with what was written, on the event loop.
        """
        self._is_chat = True
        self._memory.begin(tell)
        self._router.recaller.begin()

    @property
    def memory(self) -> BackgroundMemory:
        """Summaries and proposals, also on demand."""
        return self._memory

    async def candidates(self) -> list[BackendChoice]:
        """All backends that could be switched to, the listed ones first. None is opened."""
        return await self._router.candidates()

    async def speak_next(self, name: str) -> Switch:
        """Let a backend answer the next message, and only that; it need not be listed.

        For that reply the choice is the consent that a hosted backend needs. While a reply is
        written, it holds for the one after. A turn uses it up, whether the backend answers or not.

        Raises:
            BackendError, HistoryError, RequestProblem, CompanionProblem: nothing was changed.
        """
        return await self._router.choose_next(name)

    async def speak_from_now(self, name: str) -> Switch:
        """Put a backend first in companion.yaml, as a commit, and go on with it.

        A reply that is being written is not touched; the next one comes from the new backend,
        which is opened then.

        Raises:
            BackendError, HistoryError, RequestProblem, CompanionProblem: nothing was changed.
        """
        switch = await self._router.choose_from_now(name)
        if not self.busy:
            await self._runner.end_background()
            await self._router.let_go()
        return switch

    def send(self, text: str) -> AsyncIterator[Event]:
        """One turn. Ending the iteration early stops the reply; what was said is kept.

        Raises TurnRunning if a reply is still streaming.
        """
        return self._runner.run(lambda: self._store.prepare_turn(text))

    def resume(self) -> AsyncIterator[Event]:
        """Answer the last message, if it has no reply yet. Raises NothingToAnswer."""
        return self._runner.run(self._store.prepare_answer)

    def regenerate(self, turn: str = "", name: str = "") -> AsyncIterator[Event]:
        """Another answer to a turn; the one that stands is kept as an alternative.

        To the last turn it comes in place. Further up it begins a branch at that turn, and the chat
        goes on there: `plan_again` says so beforehand, through `steer`. A greeting gives way to the
        next one, without a backend. Where no word comes, all is as it was before.

        Args:
            turn: its name (``@-3``, ``7``, an id); the last one of this thread without.
            name: of the branch, where one has to begin.

        Raises:
            UnknownTurn, CannotAct, CompanionProblem: nothing was changed.
        """
        return self._runner.run(lambda: prepare_another(self._store, turn, name))

    def next_greeting(self) -> Reply | None:
        """Let another greeting open the next conversation; None in mid-conversation."""
        return self._store.position.next_greeting()

    def stop(self) -> None:
        """End the running reply; the part that came is committed, marked interrupted."""
        self._runner.stop()

    def new_conversation(self) -> None:
        """The next message opens a conversation of its own."""
        self._store.position.close_conversation()
        self._memory.go_on()

    async def preview(self, text: str) -> Explanation:
        """The prompt that a message would be sent with now; nothing is sent or written.

        Raises:
            MemoryProblem: the persona and the message do not fit.
            HistoryError: the history cannot be read.
        """
        from perdure.chat.preview import preview_for

        return await preview_for(self._store, self._router, self._work, text)

    async def consult(self, question: Callable[[Repository], T]) -> T:
        """Ask the repository, on the thread that it belongs to; also during a turn."""
        return await self._work(lambda: question(self._store.repo))

    async def backup_warning(self) -> str:
        """What is to be said about backups, such as turns on no remote; "" while they work."""
        from perdure.views.remotes import backup_warning

        policy = self._store.position.companion.settings.sync
        return await self.consult(lambda repo: backup_warning(repo, policy))

    async def act(self, act: Callable[[Workspace], T]) -> T:
        """Do something to the history, and go on from where it leads.

        Args:
            act: gets the open companion; runs on the repository's thread.

        Raises:
            TurnRunning: a reply is still being written.
            RequestProblem, HistoryError, CompanionProblem: what ``act`` raises.
        """
        self._runner.check_idle()
        await self._runner.end_background()
        try:
            return await self._work(lambda: act(self._store.workspace))
        finally:
            # What came of ``act`` stands; what cannot be read there is said with the next message.
            with contextlib.suppress(Problem):
                await self.look_again()

    async def look_again(self) -> list[Notice] | None:
        """Follow what was done to the branch from outside; not during a turn.

        Returns:
            What there is to tell; None where everything is as it was.
        """
        if self.busy:
            return None
        notices = await self._work(self._store.look_again)
        if notices is not None:
            await self._router.follow_tree()
        return notices

    async def close(self) -> None:
        """Stop and commit a running reply, then let go of locks and of the model."""
        self._closed = True
        await self._runner.end()
        if self._is_chat:
            settings = self._store.position.companion.settings
            await _on_worker(self._worker, lambda: sync_at_exit(self._store.repo, settings))
        # A switch that is under way is done by then: one worker does one thing after another.
        await _on_worker(self._worker, self._store.close)
        self._worker.shutdown()
        await self._router.close()

    async def _work(self, call: Callable[[], T]) -> T:
        if self._closed and not self.busy:
            raise SessionClosed("the companion is closed.", next_step="Open it again")
        return await _on_worker(self._worker, call)


async def preview(path: Path, text: str) -> Explanation:
    """What would be sent for a message to the companion at ``path``.

    Raises:
        RequestProblem, HistoryError, CompanionProblem, MemoryProblem: each says the next step.
    """
    from perdure.chat.session import Session

    session = await Session.open(path, make=make_counter)
    try:
        return await session.preview(text)
    finally:
        await session.close()
