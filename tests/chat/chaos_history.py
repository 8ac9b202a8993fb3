"""What a talk through failing servers must have left, read with git alone.

Who spoke is in the words (`tests.chat.chaos_servers`); what state each server was in at the time is
compared with what the commits say of those that did not speak.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import parse_chunks
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from tests.background import unpacked
from tests.chat.chaos_servers import WHOLE, Server, State

if TYPE_CHECKING:
    from tests.chat.chaos_failover import Asked, Outcome

_IN_TIME = "did not answer in time"


@dataclass(frozen=True, slots=True)
class TurnCommit:
    """A commit that says that it brings a turn."""

    oid: str
    backend: str
    instead_of: tuple[str, ...]


class History:
    """The tip of main, and every turn's commits, oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.text = ""
        self.turns: list[tuple[str, Turn]] = []
        self.commits: dict[str, list[TurnCommit]] = defaultdict(list)
        self.kinds: Counter[str] = Counter()
        self._read_tip()
        self._read_log()

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self._path), *words],
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    def _read_tip(self) -> None:
        names = self.git("ls-tree", "-r", "-z", "--name-only", "main", "conversations/")
        for name in sorted(filter(None, names.split("\0"))):
            content = self.git("show", f"main:{name}")
            # A conversation's title is its first message, too.
            self.text += re.sub(r"^title: .*\n", "", content, count=1, flags=re.MULTILINE)
            for chunk in parse_chunks(content.encode(), name):
                conversation = chunk.head.conversation
                self.turns += [(str(TurnId(conversation, t.number)), t) for t in chunk.turns]

    def _read_log(self) -> None:
        form = "%x1e%H%x1f%s%x1f%(trailers:only,unfold)"
        for entry in self.git("log", "--reverse", f"--format={form}", "main").split("\x1e")[1:]:
            oid, subject, trailers = entry.split("\x1f")
            self.kinds[subject.partition(":")[0]] += 1
            pairs = [line.split(": ", 1) for line in trailers.splitlines() if ": " in line]
            facts = dict(pairs)
            if "Turn" in facts:
                said = tuple(value for name, value in pairs if name == "Instead-Of")
                commit = TurnCommit(oid, facts.get("Backend", ""), said)
                self.commits[facts["Turn"]].append(commit)


def check(path: Path, servers: list[Server], outcome: Outcome) -> None:
    """Add to ``outcome`` what the history holds, and what is wrong with it."""
    faults, counts = outcome.faults, outcome.counts
    for command in (["fsck", "--full", "--strict"], ["status", "--porcelain"]):
        with unpacked(path):
            done = subprocess.run(
                ["git", "-C", str(path), *command],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode or done.stderr or (command[0] == "status" and done.stdout):
            faults.append(f"git {command[0]}: {done.stdout}{done.stderr}")
    history = History(path)
    named = {server.name: server for server in servers}
    spoken = {turn.message.text: (at, turn) for at, turn in history.turns if turn.message}
    messages = [turn.message.text for _, turn in history.turns if turn.message]
    counts["user messages"] = len(messages)
    counts["conversations"] = len({at.rpartition("/")[0] for at, _ in history.turns})
    counts["backend: commits"] = history.kinds["backend"]
    if sorted(messages) != sorted(asked.text for asked in outcome.asked):
        faults.append(f"{len(outcome.asked)} messages were sent, {len(messages)} stand there")
    if len({at for at, _ in history.turns}) != len(history.turns):
        faults.append("a turn's id stands twice")
    for asked in outcome.asked:
        if history.text.count(asked.text) != 1:
            faults.append(f"stands {history.text.count(asked.text)} times: {asked.text}")
        if asked.text in spoken:
            at, turn = spoken[asked.text]
            listed = [named[name] for name in asked.order]
            problems = _check_turn(asked, at, turn, history.commits[at], listed, counts)
            faults += [f"{at} ({asked.text[:12]}): {problem}" for problem in problems]
    mine = {asked.turn for asked in outcome.asked}
    if strangers := set(history.commits) - mine:
        faults.append(f"commits of turns that nobody began: {sorted(strangers)[:3]}")


def _check_turn(
    asked: Asked,
    at: str,
    turn: Turn,
    commits: list[TurnCommit],
    servers: list[Server],
    counts: Counter[str],
) -> list[str]:
    problems = []
    counts["resumed"] += asked.resumed
    answering = [commit for commit in commits if commit.backend]
    if asked.turn != at:
        problems.append(f"shown as saved at {asked.turn or 'no place'}")
    if len(turn.replies) > 1:
        problems.append(f"{len(turn.replies)} replies")
    # An unanswered message is committed, and its reply later, in a commit of its own.
    expected = (1 if turn.replies and not asked.resumed else 0, len(turn.replies))
    if len(commits) - len(answering) != 1 - expected[0] or len(answering) != expected[1]:
        problems.append(f"{len(commits)} commits, {len(answering)} of them with a reply")
    if not turn.replies:
        counts["unanswered"] += 1
        if asked.pieces:
            problems.append(f"a reply was shown, and there is none: {asked.pieces!r}")
        problems += _check_silent(asked, commits, servers)
        return problems
    if answering:
        problems += _check_reply(asked, turn, answering[0], servers, counts)
    return problems


def _check_silent(asked: Asked, commits: list[TurnCommit], servers: list[Server]) -> list[str]:
    """Of a turn that nobody answered: the others were asked before the last one was."""
    names = [server.name for server in servers]
    said = [line.split(":")[0] for line in commits[0].instead_of] if commits else []
    if said in (names[:-1], names):
        return []
    return [f"nobody spoke, Instead-Of is {said}, and shown was: {asked.failed}"]


def _check_reply(
    asked: Asked, turn: Turn, commit: TurnCommit, servers: list[Server], counts: Counter[str]
) -> list[str]:
    problems = []
    (reply,) = turn.replies
    names = [server.name for server in servers]
    by_letter = {server.letter: server for server in servers}
    if reply.text.strip() != asked.pieces.strip():
        problems.append(f"shown {asked.pieces!r}, committed {reply.text!r}")
    if not reply.interrupted and not WHOLE.fullmatch(reply.text.strip()):
        problems.append(f"neither whole nor marked interrupted: {reply.text!r}")
    counts["interrupted" if reply.interrupted else "whole"] += 1
    speaker = by_letter.get(reply.text.strip()[:1])
    if speaker is None or not speaker.name == commit.backend == reply.backend:
        problems.append(f"{commit.backend} is named, {reply.backend} in the chunk: {reply.text!r}")
        return problems
    counts[f"spoken by {speaker.name}"] += 1
    began, ended = asked.spans[-1]
    if said := reply.text.strip()[1:].split(" ")[0]:
        lived = {str(start) for _, start in speaker.during(began, ended)}
        # A mark of two digits may have been cut after the first.
        if not any(
            start == said or (reply.interrupted and start.startswith(said)) for start in lived
        ):
            problems.append(f"start {said} of {speaker.name} was over: {sorted(lived)} lived")
    place = names.index(speaker.name)
    if reply.stand_in != (place > 0):
        problems.append(f"{speaker.name} stands in: {reply.stand_in}")
    said_of = [line.split(": ", 1) for line in commit.instead_of]
    if [name for name, *_ in said_of] != names[:place]:
        problems.append(f"{speaker.name} spoke, Instead-Of {commit.instead_of}")
    if place:
        counts["failovers"] += 1
    for server, (_, *why) in zip(servers, said_of, strict=False):
        counts[f"instead of {server.name}"] += 1
        problems += _check_reason(server, " ".join(why), began, ended, counts)
    return problems


_REASONS: dict[State, str] = {
    "dead": "nothing listens",
    "stopped": _IN_TIME,
    "silent": _IN_TIME,
}


def _check_reason(
    server: Server, why: str, began: float, ended: float, counts: Counter[str]
) -> list[str]:
    """Whether a server was in the state that its reason says."""
    states = {state for state, _ in server.during(began, ended)}
    if not why:
        return [f"no reason why {server.name} did not speak"]
    if states == {"up"}:
        # Slow, as the processor is others' too. Anything else is made up.
        counts["too slow, undisturbed"] += 1
        return [] if _IN_TIME in why else [f"{server.name} was up all the time: {why}"]
    if len(states) == 1 and (expected := _REASONS.get(next(iter(states)))) and expected not in why:
        return [f"{server.name} was {states} all the time: {why}"]
    return []
