"""Chat in plain lines: no cursor movement, one line a speaker, slash commands.

Replies are printed by whole lines, so that a screen reader speaks sentences, not pieces. For the
same reason nothing is printed while a line is typed: what was saved meanwhile is printed after it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import click

from perdure.chat.events import (
    Event,
    Failed,
    Greeted,
    ReplyPiece,
    Saved,
)
from perdure.chat.routing.router import Switch
from perdure.chat.session import Session
from perdure.cli.chat.remotes import COMMANDS, run_remote_command
from perdure.cli.chat.turn import failure_line, stopping_on_interrupt
from perdure.cli.input.stdin import NotText, TypedLines
from perdure.cli.render.output import T, print_line
from perdure.errors import Problem
from perdure.interrupts import run_coroutine
from perdure.notice import Notice
from perdure.terminal.sanitise import Sanitiser

_HELP = (
    "Type a line and press Enter to send it. Ctrl-C stops a reply; Ctrl-D or /quit "
    "ends the chat.\n/new            start a new conversation\n/resume         "
    "answer the last message if it has no reply yet\n/backend        list the "
    "backends, and which one answers\n/backend NAME   continue with another "
    "backend\n/next NAME      let another backend give only the next reply\n/status  "
    "       companion, branch, backend, what was last saved, backups\n/sync          "
    " sync with all remotes, or with the one named behind it\n/backup         push to "
    "every remote, and say what is not proven\n/drill          prove that a restore "
    "works: what is new; /drill full, all of her\n/conflicts      what was changed "
    "differently on two devices\n/help           this text\n/quit           "
    "end the chat; everything is committed already"
)


def run_plain_chat(path: Path) -> int:
    """Chat until stdin ends; returns 1 if a message stayed unsent or without a reply."""
    with asyncio.Runner() as runner:
        session = run_coroutine(Session.open(path), runner)
        try:
            return PlainChat(
                session, runner, TypedLines(sys.stdin.fileno(), sys.stdin.encoding)
            ).run()
        finally:
            run_coroutine(session.close(), runner)


class PlainChat:
    """One chat, from the greeting to the last line."""

    def __init__(self, session: Session, runner: asyncio.Runner, lines: TypedLines) -> None:
        self._session = session
        self._runner = runner
        self._lines = lines
        self._asked = sys.stdin.isatty()
        self._left_unanswered = False
        self._left_unsent = False
        self._ends = False
        self._written: list[Notice] = []

    def run(self) -> int:
        self._introduce()
        self._result(self._remember())
        while (line := self._read()) is not None:
            self._tell_written()
            text = line.strip()
            if not text:
                continue
            if text.startswith("/"):
                if not self._command(text):
                    break
                continue
            if not self._turn(self._session.send(line)):
                self._left_unsent = True
            if self._ends:
                break
        self._tell_written()
        return 1 if self._left_unanswered or self._left_unsent else 0

    def _result(self, work: Coroutine[Any, Any, T]) -> T:
        return run_coroutine(work, self._runner)

    def _introduce(self) -> None:
        info = self._session.info
        voice = " (a small rehearsal voice)" if info.rehearsal else ""
        through = f"{info.next_backend}: {info.next_model}"
        print_line(f"{info.companion} on {info.branch}, through {through}{voice}")
        if self._asked:
            print_line("Type /help for the commands.")
        for notice in self._session.notices:
            print_line(f"note: {notice.text}")
        if warning := self._ask(self._session.backup_warning()):
            print_line(f"note: {warning}. perdure remote list says more.")
        if self._session.unanswered:
            print_line("note: your last message has no reply yet; /resume asks for it.")
        self._greet()

    async def _remember(self) -> None:
        self._session.remember(self._written.append)

    async def _end_conversation(self) -> None:
        self._session.new_conversation()

    def _tell_written(self) -> None:
        """Mention summaries and proposals that were written in the meantime."""
        for notice in self._written:
            print_line(f"note: {notice.text}")
        self._written.clear()

    def _read(self) -> str | None:
        """The next line, or None at the end of stdin and on Ctrl-C at the prompt."""
        if self._asked:
            click.echo(f"{self._session.info.user}: ", nl=False)
        try:
            line = self._result(self._lines.next())
        except KeyboardInterrupt:
            line = None
        except UnicodeDecodeError as error:
            self._left_unsent = True
            print_line(f"note: {NotText(error)}")
            return ""
        if line is None and self._asked:
            print_line()
        return line

    def _command(self, text: str) -> bool:
        """Run a slash command; False ends the chat."""
        word, _, rest = text.partition(" ")
        name = rest.strip()
        match word:
            case "/quit" | "/exit":
                return False
            case "/new":
                self._result(self._end_conversation())
                print_line("note: the next message starts a new conversation.")
                self._greet()
            case "/resume":
                self._turn(self._session.resume())
            case "/backend" if name:
                self._switch(self._session.speak_from_now(name), once=False)
            case "/next" if name:
                self._switch(self._session.speak_next(name), once=True)
            case "/backend" | "/next":
                self._list_backends()
            case "/status":
                self._tell_status()
            case "/conflicts":
                self._list_conflicts()
            case _ if word in COMMANDS:
                run_remote_command(self._session.info.path, word, name)
            case "/help":
                print_line(_HELP)
            case other:
                print_line(f"note: there is no command {other}; /help lists them.")
        return True

    def _tell_status(self) -> None:
        info = self._session.info
        saved = f"{info.saved_at:%H:%M:%S}" if info.saved_at else "nothing yet"
        once = ", for the next reply only" if info.once else ""
        print_line(
            f"{info.companion} in {info.path}, branch {info.branch}, backend "
            f"{info.next_backend} ({info.next_model}){once}, context {info.used} of "
            f"{info.window} tokens, last saved: {saved}"
        )
        if warning := self._ask(self._session.backup_warning()):
            print_line(f"backup: {warning}")
        from perdure.views.proof import proof_state

        state = self._ask(self._session.consult(proof_state))
        if state is not None:
            print_line(f"{str(state)[:1].upper()}{str(state)[1:]}.")

    def _list_conflicts(self) -> None:
        from perdure.actions.sync.conflicts import open_conflicts
        from perdure.cli.render.conflicts import show_conflicts

        found = self._ask(
            self._session.consult(lambda repo: open_conflicts(repo, repo.resolve("HEAD")))
        )
        if found is not None:
            show_conflicts(found)

    def _list_backends(self) -> None:
        following = self._session.info.next_backend
        for row in self._ask(self._session.candidates()) or ():
            order = f"{row.order}." if row.order else "-"
            speaks = ", speaks next" if row.name == following else ""
            print_line(f"{order} {row.name}: {row.model or 'no model'}, {row.runs}{speaks}")

    def _switch(self, switching: Coroutine[Any, Any, Switch], *, once: bool) -> None:
        if (switch := self._ask(switching)) is not None:
            for notice in switch.notices:
                print_line(f"note: {notice.text}")
            print_line(f"note: {switch.candidate.speaks(once=once)}")

    def _turn(self, events: AsyncIterator[Event]) -> bool:
        """Run one turn; returns whether it is saved."""
        return self._ask(self._tell(events)) or False

    def _ask(self, asked: Coroutine[Any, Any, T]) -> T | None:
        """Ask the session; None where it refuses, which is printed."""
        try:
            return self._result(asked)
        except Problem as problem:
            print_line(f"note: {problem}")
            return None

    async def _tell(self, events: AsyncIterator[Event]) -> bool:
        clean, pending, name = Sanitiser(), "", self._session.info.companion
        said = saved = False
        with stopping_on_interrupt(self._session) as stopping:
            async for event in events:
                if isinstance(event, (Notice, Saved, Failed)):
                    # The reply's last line, before what is said about it.
                    said = self._line(name, pending + clean.end(), said=said)
                    pending = ""
                match event:
                    case ReplyPiece(text):
                        pending += clean.feed(text)
                        *lines, pending = pending.split("\n")
                        for line in lines:
                            said = self._line(name, line, said=said)
                    case Notice(text):
                        print_line(f"note: {text}")
                    case Greeted():
                        self._left_unanswered = False
                    case Saved():
                        saved = True
                        self._left_unanswered = event.turn.unanswered
                        if any(reply.interrupted for reply in event.turn.replies):
                            print_line("note: interrupted; the part above is kept.")
                    case Failed():
                        print_line(f"note: {failure_line(event)}")
                    case _:
                        pass
        self._ends = stopping.ends
        return saved

    @staticmethod
    def _line(name: str, line: str, *, said: bool) -> bool:
        """One line of a reply under its speaker; blank lines are skipped."""
        if line.strip():
            print_line(f"{name}: {line}" if not said else line)
            return True
        return said

    def _greet(self) -> None:
        greeting = self._session.opening()
        if greeting is None:
            return
        said = False
        for line in greeting.text.split("\n"):
            said = self._line(greeting.speaker, line, said=said)
