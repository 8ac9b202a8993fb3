"""``perdure memory summarise``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.options import dry_run_option, given
from perdure.cli.render.output import emit_json, print_line, print_styled, styled
from perdure.cli.target import announced, chosen_companion, usual_options
from perdure.interrupts import run_coroutine
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.chat.background.memory import MemoryTask
    from perdure.chat.background.save import MemoryCommit
    from perdure.chat.session import Session
    from perdure.companion.ids import ConversationId
    from perdure.git.repository.repository import Repository


@click.command("summarise")
@click.argument("names", metavar="[CONVERSATION]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every conversation of this branch.")
@click.option("--facts", is_flag=True, help="Also propose facts for her to remember.")
@click.option("--again", is_flag=True, help="Also those whose summary is up to date.")
@click.option(
    "--hosted",
    is_flag=True,
    help="Let a hosted backend read conversations it took no part in: they leave this machine.",
)
@dry_run_option
@usual_options
def summarise(
    names: tuple[str, ...], *, everything: bool, facts: bool, again: bool, hosted: bool
) -> None:
    """Summarise conversations; by default the newest one.

    Name a CONVERSATION by a piece of its id, a day, or one of its turns. The first backend in the
    list is asked; if there is none, or only a rehearsal model, the summary consists of sentences
    from the conversation itself, and the file says so. A summary that you changed is never
    overwritten: the new text waits in the review list.

    Each summary is a separate commit. Ctrl-C stops; what was written stays.
    """
    if everything and names:
        raise click.UsageError("give CONVERSATION or --all, not both")
    work = _Work(facts=facts, again=again, hosted=hosted)
    try:
        path = announced(chosen_companion())
        code = run_coroutine(work.run(path, names, everything=everything))
    except KeyboardInterrupt:
        print_line("Stopped. What was written is kept.", err=True)
        code = 130
    sys.exit(code)


class _Work:
    """One run of the command."""

    def __init__(self, *, facts: bool, again: bool, hosted: bool) -> None:
        self._facts = facts
        self._again = again
        self._hosted = hosted
        self._records: list[dict[str, object]] = []

    async def run(self, path: Path, names: Sequence[str], *, everything: bool) -> int:
        """Do all of it; returns 1 if something could not be done."""
        from perdure.chat.session import Session

        session = await Session.open(path)
        try:
            for notice in session.notices:
                print_line(notice.text, err=True)
            branch = session.info.branch
            wanted = await session.consult(
                lambda repo: _find(repo, f"refs/heads/{branch}", names, everything=everything)
            )
            failed = False
            for number, name in enumerate(wanted, 1):
                failed |= not await self._one(session, name, f"{number}/{len(wanted)}")
            if not wanted:
                print_line("Nothing has been said yet.", err=True)
        finally:
            await session.close()
            if given("--json"):
                emit_json(self._records)
        return 1 if failed else 0

    async def _one(self, session: Session, name: ConversationId, count: str) -> bool:
        from perdure.errors import Problem

        task = await session.memory.task(name, facts=self._facts, again=self._again)
        if task is None:
            self._tell(name, "its summary covers all that was said", count)
            return True
        if given("--dry-run"):
            self._tell(name, _would(session, task), count, would=True)
            return True
        print_line(f"{count} {name} …", err=True)
        try:
            written, why = await session.memory.do(task, allowed=self._hosted)
        except Problem as problem:
            self._tell(name, str(problem), count, problem=str(problem))
            return False
        if why:
            print_line(f"No model: {why}.", err=True)
        self._written(name, written, why, count)
        return True

    def _tell(self, name: ConversationId, text: str, count: str, **more: object) -> None:
        self._records.append({"conversation": str(name), "says": text, **more})
        if not given("--json"):
            print_styled(styled(f"{count} {name}", "yellow"), f"  {styled(text)}")

    def _written(
        self, name: ConversationId, done: MemoryCommit | None, why: str, count: str
    ) -> None:
        summary = done.summary if done is not None else None
        self._records.append(
            {
                "conversation": str(name),
                "commit": done.commit if done is not None else None,
                "summary": summary.text if summary is not None else None,
                "through": summary.through if summary is not None else None,
                "extractive": summary.extractive if summary is not None else None,
                "backend": summary.backend if summary is not None else None,
                "model": summary.model if summary is not None else None,
                "proposals": [
                    {"kind": one.kind, "topic": one.topic, "text": one.text, "note": one.note}
                    for one in (done.waits if done is not None else ())
                ],
                "learned": [one.text for one in (done.learned if done is not None else ())],
                "without_model": why or None,
            }
        )
        if given("--json"):
            return
        notices = [notice.text.removesuffix(".") for notice in done.notices()] if done else []
        title = ". ".join(notices) or "nothing new was found"
        print_styled(styled(f"{count} {name}", "yellow"), f"  {styled(title)}")
        if summary is not None:
            for line in summary.text.split("\n"):
                print_line(f"    {line}")


def _would(session: Session, task: MemoryTask) -> str:
    reading = task.reading
    what = ["summarise"] * task.summary + ["look for facts in"] * task.facts
    said = f"would {' and '.join(what)} {plural(len(reading.turns), 'turn')}"
    info = session.info
    return f"{said}, {'without a model' if info.rehearsal else f'through {info.next_backend}'}"


def _find(
    repo: Repository, rev: str, names: Sequence[str], *, everything: bool
) -> list[ConversationId]:
    """The conversations that were named; for all, oldest first."""
    from perdure.snapshot.conversation.transcript import Transcript
    from perdure.snapshot.conversation.turn_names import find_turn
    from perdure.snapshot.errors import UnknownTurn

    transcript = Transcript(repo, rev)
    if everything:
        return [each.id for each in transcript.conversations()]
    if not names:
        last = transcript.last_conversation()
        return [last.id] if last is not None else []
    found = []
    for name in names:
        turn = find_turn(transcript, name)
        if turn is None:
            raise UnknownTurn(
                f"there is no conversation {name!r}.", next_step="perdure log --turns lists turns"
            )
        found.append(turn.conversation)
    return list(dict.fromkeys(found))
