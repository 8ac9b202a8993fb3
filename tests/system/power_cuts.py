"""Power cuts at every step of everything that is written: `python -m tests.system.power_cuts`.

One session says something and does one act; the power goes before the first, the second, the third
call that changes the disk, and so on, until the turn after the act has ended (`power` has the ways
in which the disk then forgets). Each time the companion is opened again on a machine that has been
started anew, and has to be as before the act or as after it, with all that was acknowledged.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.companion import archive, remove
from perdure.actions.history import branch, revert, tag
from perdure.actions.history import merge as merge_action
from perdure.actions.history import undo as undoing
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.memory import exclude
from perdure.actions.turns import (
    answers,
    correct,  # fmt: skip
)
from perdure.actions.workspace import Workspace
from perdure.chat.events import Event, Failed, MessageKept, Saved
from perdure.chat.session import Session
from perdure.errors import Problem
from perdure.git.commit import recovery, transaction
from perdure.git.maintenance import process
from perdure.git.packs import background, repack, small
from perdure.git.repository import turn_journal
from perdure.git.worktree import merge_state
from tests.conftest import as_its_own
from tests.speaking import Scripted
from tests.system.book import WrongTalk, run_git
from tests.system.power import MODES, Disk
from tests.system.recovered import Recovered, Row, seen
from tests.system.walk import new

_numbers = itertools.count()
VOICE = "persona/20-voice.md"


class Talk:
    """The session whose machine loses its power, and what it tells before."""

    def __init__(self, path: Path, session: Session, out: int) -> None:
        self.path, self.session, self.out = path, session, out

    def tell(self, what: str, value: object) -> None:
        if self.out >= 0:
            os.write(self.out, (json.dumps([what, value]) + "\n").encode())

    async def say(self, text: str = "") -> None:
        await self.hear(self.session.send(text or f"words {next(_numbers)}"))

    async def hear(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, MessageKept):
                self.tell("kept", event.message.text)
            elif isinstance(event, Saved):
                turn = event.turn
                words = [turn.message.text if turn.message else "", turn.replies[-1].text]
                self.tell("saved", [event.commit, str(event.turn_id), *words])
            elif isinstance(event, Failed):
                raise WrongTalk(f"a turn failed: {event}")

    async def act(self, act: Callable[[Workspace], object]) -> None:
        await self.session.act(act)


Act = Callable[[Talk], Awaitable[object]]


@dataclass(frozen=True)
class Scene:
    """An act, what comes before it, and the companion that it is done to."""

    act: Act
    before: Act | None = None
    world: str = "talk"


def acting(act: Callable[[Workspace], object]) -> Act:
    return lambda talk: talk.act(act)


def _choose(workspace: Workspace, place: str) -> None:
    rows = answers.list_answers(workspace, place).rows
    (number, *_) = [row.number for row in rows if not row.shown]
    answers.choose(workspace, answers.plan_choice(workspace, place, number, "chosen"))


def _revert(workspace: Workspace) -> None:
    change = run_git(workspace.repo.path, "log", "--format=%H", "-n", "1", "--", VOICE).strip()
    revert.revert(workspace, revert.plan_revert(workspace, change))


def _archive(workspace: Workspace) -> None:
    archive.archive(workspace, archive.plan_archive(workspace, workspace.repo.path.parent / "copy"))


async def _remove(talk: Talk) -> None:
    with Workspace.open(talk.path) as workspace:
        remove.remove(workspace, remove.plan_remove(workspace, talk.path.parent))


async def _new_conversation(talk: Talk) -> None:
    talk.session.new_conversation()
    await talk.say()


async def _close(talk: Talk) -> None:
    await talk.session.close()
    talk.session = await Session.open(talk.path, backends=[Scripted()])


async def _join_packs(talk: Talk) -> None:
    for _ in range(small.SMALL_LIMIT + 1):
        await talk.say()


async def _pack(talk: Talk) -> None:
    if process.work(talk.path / ".git"):
        raise AssertionError((talk.path / ".git/perdure/state/packing.failed").read_text())


rewinding = acting(lambda h: rewind(h, plan_rewind(h, "@-2", "back")))
undo = acting(lambda h: undoing.perform_step(h, undoing.next_undo(h)))
redo = acting(lambda h: undoing.perform_step(h, undoing.next_redo(h)))


async def _rewind_undo(talk: Talk) -> None:
    await rewinding(talk)
    await undo(talk)


def _steered(act: Callable[[Workspace], object], world: str = "talk") -> Scene:
    return Scene(acting(act), world=world)


SCENES = {
    "turn": Scene(Talk.say),
    "new conversation": Scene(_new_conversation),
    "close, and open again": Scene(_close),
    "regenerate": Scene(lambda t: t.hear(t.session.regenerate())),
    "regenerate further up": Scene(lambda t: t.hear(t.session.regenerate("@-2", "again"))),
    "choose": Scene(acting(lambda h: _choose(h, "@")), lambda t: t.hear(t.session.regenerate())),
    "choose further up": _steered(lambda h: _choose(h, "@-3")),
    "edit": _steered(lambda h: correct.correct(h, correct.find_words(h, "@-1"), "better")),
    "rewind": Scene(rewinding),
    "branch": _steered(lambda h: branch.begin_branch(h, "side", "HEAD~2")),
    "switch": _steered(lambda h: branch.check_out_branch(h, "hills")),
    "drop": _steered(lambda h: branch.remove_branch(h, branch.plan_drop(h, "plains"))),
    "tag": _steered(lambda h: tag.tag(h, "here", "HEAD~1", "a note")),
    "merge": _steered(lambda h: merge_action.merge_branch(h, "plains")),
    "undo a turn": Scene(undo, Talk.say),
    "undo a rewind": Scene(undo, rewinding),
    "redo a rewind": Scene(redo, _rewind_undo),
    "revert": _steered(_revert),
    "aside": _steered(lambda h: exclude.exclude_turns(h, exclude.plan_exclude(h, "@-1"))),
    "open a merge": _steered(lambda h: merge_action.merge_branch(h, "hills")),
    "turn in an open merge": Scene(Talk.say, world="open"),
    "settle": _steered(lambda h: merge_action.take_side(h, VOICE, "theirs"), "open"),
    "give a merge up": _steered(merge_action.abort, "open"),
    "conclude a merge": _steered(merge_action.conclude, "settled"),
    "turn beside a rebase": Scene(Talk.say, world="rebase"),
    "join packs": Scene(_join_packs),
    "pack": Scene(_pack, world="packs"),
    "pack loose objects": Scene(_pack, world="loose"),
    "archive": _steered(_archive),
    "remove": Scene(_remove, lambda talk: talk.session.close()),
}


async def go_to(talk: Talk, name: str) -> None:
    await talk.act(lambda workspace: branch.check_out_branch(workspace, name))


# The companions that the acts are done to


async def build(folder: Path) -> None:
    """``talk``: three branches. ``open``: a merge with a conflict. ``settled``: without any more.

    ``packs``: several joined packs. ``loose``: what git has written. ``rebase``: one that has
    stopped.
    """
    path = folder / "talk" / "mira"
    path.parent.mkdir()
    new(path)
    session = await Session.open(path, backends=[Scripted()])
    talk = Talk(path, session, -1)
    for _ in range(3):
        await talk.say()
    await talk.act(lambda h: branch.begin_branch(h, "hills", "HEAD~1"))
    await talk.act(lambda h: branch.begin_branch(h, "plains", "HEAD~1"))
    await talk.hear(session.regenerate())
    for name, voice in (("plains", ""), ("hills", "Long sentences.\n"), ("main", "None.\n")):
        await go_to(talk, name)
        session.new_conversation()
        await talk.say(f"on {name}")
        if voice:
            (path / VOICE).write_text(voice)
            (path / f"lore-{name}.md").write_text(name)
            run_git(path, "add", "-A")
            run_git(path, "commit", "-q", "-m", f"persona: on {name}")
    await talk.say()
    await session.close()
    shutil.copytree(path, folder / "rebase" / "mira")
    editor = "sequence.editor=sed -i -e 1s/^pick/edit/"
    run_git(folder / "rebase" / "mira", "-c", editor, "rebase", "-q", "-i", "HEAD~2")
    for name in ("open", "settled", "packs", "loose"):
        other = folder / name / "mira"
        shutil.copytree(folder / ("open" if name == "settled" else "talk") / "mira", other)
        talk = Talk(other, await Session.open(other, backends=[Scripted()]), -1)
        if name == "open":
            await talk.act(lambda h: merge_action.merge_branch(h, "hills"))
        elif name == "settled":
            await talk.act(lambda h: merge_action.take_side(h, VOICE, "theirs"))
        elif name == "packs":
            for _ in range(5 * small.SMALL_LIMIT):
                await talk.say()
        await talk.session.close()
    for number in range(6):
        loose = folder / "loose" / "mira"
        (loose / "lore-main.md").write_text(f"main {number}")
        run_git(loose, "commit", "-qam", f"lore: {number}")


def starts(name: str) -> None:
    """From now on the machine counts as started for the ``name``-th time."""
    for module in (turn_journal, merge_state, transaction, recovery):
        setattr(module, "boot", lambda: name)  # noqa: B010 - a name that it imports


def small_packs() -> None:
    """Packs are joined after four turns and made small after eight, by nobody but the scene."""
    small.SMALL_LIMIT = 4
    repack.FAN = repack.STEP_PACKS = 2
    setattr(repack, "JOINED_LIMIT", 2)  # noqa: B010 - a name that it imports
    setattr(repack, "LOOSE_LIMIT", 16)  # noqa: B010
    background.JOINED_LIMIT = 1000

    def loose_are_many(objects: Path) -> bool:
        return sum(1 for _ in repack.loose_files(objects)) >= 16

    for module in (repack, process):
        setattr(module, "loose_are_many", loose_are_many)  # noqa: B010


# One cut


def _end(scene: Scene, name: str, path: Path, mode: str, at: int, out: int, seed: int) -> None:
    """In a process of its own: act until the power goes, at the latest at the end."""
    starts("first")
    disk = Disk(path.parent, path.parent.with_name("shadow"))
    dice = random.Random(seed)
    written_back = dice.randint(-1, at) if mode == "any" else -1
    steps = 0
    is_armed = False

    def go_off() -> None:
        disk.lose(mode, dice)
        os._exit(9)

    def step() -> None:
        nonlocal steps
        if is_armed:
            if steps == written_back:
                disk.write_back()
            if steps == at:
                go_off()
            steps += 1

    async def run() -> None:
        nonlocal is_armed
        session = await Session.open(path, backends=[Scripted()])
        talk = Talk(path, session, out)
        await talk.say(f"first {at}")
        if scene.before is not None:
            await scene.before(talk)
        talk.tell("done", ["before", seen(path)])
        is_armed = True
        talk.tell("begins", name)
        await scene.act(talk)
        if not path.exists():
            talk.tell("steps", steps)
            go_off()
        talk.tell("done", [name, seen(path)])
        if name != "archive":
            talk.tell("begins", "the turn after")
            await talk.say(f"last {at}")
        is_armed = False
        talk.tell("done", ["the turn after", seen(path)])
        talk.tell("steps", steps)
        disk.lose(mode, dice)

    disk.watch(step)
    asyncio.run(run())


def one(scene: Scene, name: str, path: Path, mode: str, at: int, seed: int) -> list[Row]:
    """Let the power go at one step; what had been told."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 70
        with contextlib.suppress(BaseException):
            try:
                _end(scene, name, path, mode, at, writing, seed)
                code = 0
            except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
                traceback.print_exc()
        os._exit(code)
    os.close(writing)
    shown = b""
    with open(reading, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
        while data := pipe.read(1 << 16):
            shown += data
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) not in {0, 9}:
        raise AssertionError(f"the act ended with {os.waitstatus_to_exitcode(status)}")
    return [tuple(json.loads(row)) for row in shown.splitlines()]


async def look(name: str, path: Path, rows: list[Row], seed: int) -> None:
    """Whether all is as it was before the act or as after it."""
    dice = random.Random(seed)
    if name == "remove" and not path.exists():
        (path,) = path.parent.glob("data/Trash/files/mira-*")
    if name == "archive":
        rows = _look_at_archive(path, rows)
    found = Recovered(path, dice)
    await found.check([row for row in rows if row[0] != "steps"])
    if (path / ".git" / "MERGE_HEAD").exists():
        with Workspace.open(path) as workspace:
            if dice.random() < 0.5:
                merge_action.abort(workspace)
            else:
                opened = merge_action.unfinished_merge(workspace)
                for conflict in opened.merge.conflicts if opened else ():
                    merge_action.take_side(workspace, conflict.path, "ours")
                merge_action.conclude(workspace)
        await found.say_something()
        found.look()


def _look_at_archive(path: Path, rows: list[Row]) -> list[Row]:
    """Whole or not there; then she is taken out of it, which is in the rows that come back."""
    copy = path.parent / "copy"
    if copy.exists():
        for bundle in copy.glob("*.bundle"):
            run_git(path, "bundle", "verify", "-q", str(bundle))
        if not list(copy.glob("*.bundle")):
            raise WrongTalk(f"half a copy: {list(copy.iterdir())}")
    told = [row for row in rows if row[0] != "steps"]
    is_done = bool(told) and told[-1][0] == "done" and told[-1][1][0] != "before"
    with Workspace.open(path) as workspace:
        if is_done and (seen(path) != told[-1][1][1] or not workspace.settings.archived):
            raise WrongTalk(f"acknowledged: {told[-1]}; found: {seen(path)}")
        if workspace.settings.archived:
            archive.reopen(workspace)
    return [*told, ("done", ["reopen", seen(path)])] if is_done else told


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scene", action="append", choices=list(SCENES), help="all without")
    parser.add_argument("--mode", action="append", choices=MODES, help="all without")
    parser.add_argument("--every", type=int, default=1, help="cut at every so manieth step only")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    small_packs()
    cuts = faults = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="power-cuts-") as text:
        folder = Path(text)
        config = folder / "gitconfig"
        config.write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
        os.environ |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
        os.environ |= {"XDG_DATA_HOME": str(folder / "now" / "data")}
        asyncio.run(build(folder))
        starts("second")
        for name in asked.scene or SCENES:
            for mode in asked.mode or MODES:
                done, wrong = scene_in(folder, name, mode, asked)
                print(f"  {name}, {mode}: {done} cuts, {wrong} faults", flush=True)
                cuts, faults = cuts + done, faults + wrong
    print(
        f"{cuts} power cuts (seed {asked.seed}) in {time.monotonic() - began:.0f} s, "
        f"{faults} faults"
    )
    return bool(faults)


def scene_in(folder: Path, name: str, mode: str, asked: argparse.Namespace) -> tuple[int, int]:
    """Every step of one scene: cuts and faults."""
    cuts = faults = 0
    at = asked.first
    place = folder / "now"
    while True:
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(folder / "shadow", ignore_errors=True)
        shutil.copytree(folder / SCENES[name].world, place)
        path = as_its_own(place / "mira")
        try:
            rows = one(SCENES[name], name, path, mode, at, asked.seed + at)
            asyncio.run(look(name, path, rows, asked.seed))
        except (AssertionError, Problem, OSError) as trouble:
            kept = Path(tempfile.mkdtemp(prefix="power-kept-")) / "now"
            place.rename(kept)
            print(f"{name}, {mode}, step {at}: {type(trouble).__name__}: {trouble}; at {kept}")
            faults += 1
            rows = []
            if faults == 3:
                return cuts + 1, faults
        cuts += 1
        if any(what == "steps" for what, _ in rows):
            return cuts, faults
        at += asked.every


if __name__ == "__main__":
    sys.exit(main())
