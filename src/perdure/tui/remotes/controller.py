"""Sync, backup and drill from the chat screen, in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from perdure.errors import Problem, one_line
from perdure.plural import plural
from perdure.tui.dialogs.question import Choice
from perdure.tui.error_text import error_parts, sentence
from perdure.tui.workers import work

if TYPE_CHECKING:
    from pathlib import Path

    from perdure.actions.companion.outgoing_check import HistoryFindings
    from perdure.actions.workspace import Workspace
    from perdure.git.remotes.settings import Remote
    from perdure.rescue.attended import SyncOutcome
    from perdure.rescue.drill.report import DrillReport
    from perdure.tui.host import ChatHost
    from perdure.views.proof import ProofState

_T = TypeVar("_T")
Tell = Callable[[str], None]
_DEPTHS: dict[str, Literal["quick", "full"]] = {"": "quick", "quick": "quick", "full": "full"}
_REFUSE = Choice("", "Send nothing there")


class _Stopped(BaseException):
    """The user has stopped it, as Ctrl-C stops the command."""


class _Interrupted(Exception):
    """The thread has stopped, as the user wished."""


class RemoteController:
    """Runs one sync, backup or drill at a time; the conversation goes on meanwhile.

    It works with a repository of its own, as a command beside the chat does, and may be stopped, or
    killed with the program, at any time.
    """

    def __init__(self, chat: ChatHost) -> None:
        self._chat = chat
        self._conversation = chat.conversation
        self.screen = chat.conversation.screen
        self._runs = ""
        """What runs, as its command is called; "" for nothing."""
        self._stop = threading.Event()

    # -- commands ------------------------------------------------------------------------------

    def sync(self, name: str = "") -> None:
        """Bring this companion and her remotes, or the one of that name, to the same state."""
        if self._begin("sync"):
            self._sync(name)

    def backup(self) -> None:
        """Push to every remote, and say what is not proven to be safe."""
        if self._begin("backup"):
            self._backup()

    def drill(self, depth: str = "") -> None:
        """Prove that a restore works: what is new since the last proof, or ``full``."""
        if depth not in _DEPTHS:
            words = "/drill looks at what is new, /drill full at all of her."
            self._conversation.flash.show(f"{words} To hear her speak: perdure drill --speak")
        elif self._begin("drill"):
            self._drill(_DEPTHS[depth])

    def stop(self) -> None:
        """Stop what runs; what was sent stays sent, and the next one goes on from there."""
        if self._runs:
            self._stop.set()
            self._show("stopping")
        else:
            self._conversation.flash.show("No sync, backup or drill is running.")

    def close(self) -> None:
        """Stop what runs, without a word."""
        self._stop.set()

    def _begin(self, name: str) -> bool:
        """Whether it may begin; where not, it is said why."""
        here = self._conversation
        if here.open_session() is None:
            return False
        if self._runs:
            here.flash.show(f"/{self._runs} is still running; /stop stops it.")
            return False
        self._runs = name
        self._stop.clear()
        self._show("")
        return True

    # -- doing it ------------------------------------------------------------------------------

    @work(group="remotes")
    async def _sync(self, name: str) -> None:
        async def plan(path: Path) -> None:
            self._say_outcome(await self._synced(path, name or None, takes=True))

        await self._run(plan)

    @work(group="remotes")
    async def _backup(self) -> None:
        async def plan(path: Path) -> None:
            from perdure.views.proof import proof_state

            done = await self._synced(path, None, takes=False)
            state = await self._in_thread(path, lambda workspace: proof_state(workspace.repo))
            self._say_outcome(done, state)

        await self._run(plan)

    @work(group="remotes")
    async def _drill(self, depth: Literal["quick", "full"]) -> None:
        tell = self._teller()

        async def plan(path: Path) -> None:
            def act(workspace: Workspace) -> tuple[list[DrillReport], ProofState | None]:
                from perdure.rescue.drill.run import drill
                from perdure.rescue.run import chosen_remotes
                from perdure.views.proof import proof_state

                repo = workspace.repo
                remotes = chosen_remotes(repo, None)
                return [drill(repo, each, depth, tell) for each in remotes], proof_state(repo)

            self._say_drilled(*await self._in_thread(path, act))

        await self._run(plan)

    async def _run(self, plan: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
        here, name = self._conversation, self._runs
        session = here.session
        try:
            if session is not None:
                await plan(session.info.path)
        except _Interrupted:
            here.flash.show(f"/{name} is stopped. What was done before stays.", "warning")
        finally:
            self._runs = ""
            here.status.change(remote="")
            self._chat.history.look()
            self._chat.history.look_at_backups()

    async def _synced(self, path: Path, name: str | None, *, takes: bool) -> SyncOutcome:
        """Sync or push, after what a first push has to ask about."""
        from perdure.actions.companion.outgoing_check import accept
        from perdure.rescue import attended

        tell, notes = self._teller(), list[str]()

        def prepare(workspace: Workspace) -> list[tuple[Remote, HistoryFindings]]:
            remotes = attended.chosen_for(workspace, name, notes.append)
            attended.save_edits(workspace, notes.append)
            return list(attended.unagreed_findings(workspace, remotes, tell))

        found = await self._in_thread(path, prepare)
        for note in notes:
            self._conversation.flash.show(note)
        agreed = []
        for remote, findings in found:
            go = Choice("go", f"Send all of it to {remote.name} all the same")
            title = f"Before the first push to {remote.name}"
            if await self._conversation.ask(title, findings.describe(), _REFUSE, go):
                agreed.append((remote, findings))

        def act(workspace: Workspace) -> SyncOutcome:
            for remote, findings in agreed:
                accept(workspace.repo, findings, remote.url)
            remotes = attended.chosen_for(workspace, name, lambda _: None)
            return attended.sync_attended(workspace, remotes, takes=takes, progress=tell)

        return await self._in_thread(path, act)

    # -- the thread ----------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Called in the thread; raises _Stopped once the user has stopped it."""
        if self._stop.is_set():
            raise _Stopped

    def _teller(self) -> Tell:
        """What the thread calls with what it does."""
        loop = asyncio.get_running_loop()

        def tell(words: str) -> None:
            self._go_on()
            with suppress(RuntimeError):  # the loop is closed: the program has ended
                loop.call_soon_threadsafe(self._show, words)

        return tell

    async def _in_thread(self, path: Path, act: Callable[[Workspace], _T]) -> _T:
        """Do something with a workspace of its own. Raises _Interrupted, and what ``act`` raises.

        The thread holds nobody up who leaves: a server may be silent for a minute.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()

        def settle(call: Callable[[], None]) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: None if done.done() else call())

        def run() -> None:
            from perdure.actions.workspace import Workspace

            try:
                self._go_on()
                with Workspace.open(path) as workspace:
                    found = act(workspace)
            except _Stopped:
                settle(lambda: done.set_exception(_Interrupted()))
            except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
                caught = error
                settle(lambda: done.set_exception(caught))
            else:
                settle(lambda: done.set_result(found))

        threading.Thread(target=run, name="perdure-remotes", daemon=True).start()
        return await done

    # -- what is shown -------------------------------------------------------------------------

    def _show(self, words: str) -> None:
        """Say on the status line what runs, and what it is at."""
        if self._runs:
            words = "stopping" if self._stop.is_set() else words
            self._conversation.status.change(remote=f"{self._runs}: {words or 'begun'}")

    def _say_outcome(self, done: SyncOutcome, state: ProofState | None = None) -> None:
        words = [done.in_short()]
        if done.conflicts:
            differ = plural(done.conflicts, "place differs", "places differ")
            words.append(f"{differ} between your devices: /conflicts")
        if state is not None:
            words.append(f"{sentence(str(state))}.")
            if not state.is_well:
                words.append("To prove that a restore works: /drill")
        self._say(words, done.problems())

    def _say_drilled(self, reports: list[DrillReport], state: ProofState | None) -> None:
        words = [
            f"A restore from {each.remote} works ({each.depth})."
            for each in reports
            if each.verdict.value == "proven"
        ]
        words += [f"{sentence(str(state))}."] if state is not None else []
        problems = [
            Problem(finding.what, next_step=finding.next_step)
            for each in reports
            for finding in each.findings[:1]
            if each.verdict.value != "proven"
        ]
        self._say(words, problems)

    def _say(self, words: list[str], problems: Sequence[Problem]) -> None:
        """What came of it in one line, and one for each thing that went wrong."""
        flash = self._conversation.flash
        for problem in problems:
            flash.show(one_line(*error_parts(problem)), "error")
        if text := " ".join(each for each in words if each):
            flash.show(text, "info" if problems else "success", stays=True)
