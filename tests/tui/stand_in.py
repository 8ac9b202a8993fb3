"""A scripted companion for the screen: the same shape as the real session, no model, no git."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from perdure.actions.workspace import Workspace
from perdure.chat.events import (
    Event,
    Failed,
    Greeted,
    MessageKept,
    ReplyPiece,
    ReplyStarted,
    Saved,
)
from perdure.chat.routing.backend_set import BackendChoice
from perdure.chat.routing.router import Switch
from perdure.chat.session import Session
from perdure.companion.errors import Trouble
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import (
    Message,
    Reply,
    Turn,
)
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.conversation.transcript import (
    ChunkRef,
    ConversationRef,
    Transcript,
    TurnMarks,
)
from perdure.snapshot.errors import NoBackend, RequestProblem
from perdure.tui.chat.startup import Opened, Opener
from perdure.views.why.explain import Explanation

if TYPE_CHECKING:
    from perdure.chat.session import Session

T = TypeVar("T")
ZONE = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 22, 18, 3, tzinfo=ZONE)

NEWEST = ConversationId("2026-11-22-1803-9f3a77c0")

SAYINGS = (
    "Do you remember what I said about the river?",
    "I walked past the weir again this morning. It was louder than usual.",
    "What would you do with an empty afternoon?",
    "Tell me about the list we made.",
)
WEIR = """You said it only sounds loud when you are *tired*. I think you meant the weir, where \
the water has to make up its mind."""
RAIN = "Then it has rained in the hills. The river is late with its news, as always."
AFTERNOON = """Three things, in this order:

1. nothing at all, for an hour
2. bread
3. a letter to **Anna**, who has waited long enough"""
LIST = """Here it is:

- the blue coat
- `git log` before breakfast
- one long walk

```python
for day in week:
    walk(day)
```

You never finished the last one."""
ANSWERS = (WEIR, RAIN, AFTERNOON, LIST)


@dataclass(frozen=True)
class Info:
    """What the status line tells."""

    companion: str = "Mira"
    user: str = "You"
    branch: str | None = "main"
    backend: str = "local"
    model: str = "smollm2-135m"
    rehearsal: bool = False
    conversation: ConversationId | None = None
    window: int = 8192
    used: int = 0
    saved_at: datetime | None = None
    path: Path = Path("/home/you/companions/mira")
    next_backend: str = "local"
    next_model: str = "smollm2-135m"
    once: bool = False
    unavailable: bool = False


SPEAKERS = (
    BackendChoice("local", "smollm2-135m", "embedded", 1, hosted=False, host=""),
    BackendChoice("study", "qwen3-8b", "ollama", 2, hosted=False, host="127.0.0.1:11434"),
    BackendChoice(
        "cloud", "claude-opus-4-7", "anthropic", 0, hosted=True, host="api.anthropic.com"
    ),
    BackendChoice(
        "odd", "", "", 0, hosted=False, host="", problem="backends/odd.yaml, line 3: no."
    ),
)


@dataclass
class ScriptedSession:
    """Says what it is told to. ``gate`` holds pieces back until a test lets them through."""

    info: Info = field(default_factory=Info)
    notices: list[Notice] = field(default_factory=list)
    replies: list[Sequence[str]] = field(default_factory=list)
    failure: Failed | None = None
    unkept: Failed | Exception | None = None
    """Why a message cannot be kept: told, or raised."""
    uncommitted: Failed | None = None
    """Why a reply cannot be committed."""
    explosion: Exception | None = None
    prepare_error: Exception | None = None
    loaded: asyncio.Event | None = None
    gate: asyncio.Event | None = None
    pace: float = 0.0
    greeting: str = ""
    said: list[str] = field(default_factory=list)
    kept: list[Turn] = field(default_factory=list)
    switched: list[tuple[str, bool]] = field(default_factory=list)
    closed: bool = False
    tell: Callable[[Notice], None] = lambda _: None
    _stopped: bool = False
    _number: int = 0
    _open: ConversationId = NEWEST

    def remember(self, tell: Callable[[Notice], None]) -> None:
        """Nothing is written here; tests tell what they like."""
        self.tell = tell

    async def prepare(self) -> None:
        if self.loaded is not None:
            await self.loaded.wait()
        if self.prepare_error is not None:
            raise self.prepare_error

    def opening(self) -> Reply | None:
        if not self.greeting or self._number:
            return None
        return Reply(self.info.companion, self.greeting, NOW)

    def send(self, text: str) -> AsyncIterator[Event]:
        return self._turn(text)

    def resume(self) -> AsyncIterator[Event]:
        return self._turn(None)

    def regenerate(self, turn: str = "", name: str = "") -> AsyncIterator[Event]:
        return self._turn(None)

    def stop(self) -> None:
        self._stopped = True
        if self.gate is not None:
            self.gate.set()

    def new_conversation(self) -> None:
        self._open = ConversationId("2026-11-22-1803-0badcafe")
        self._number = 0

    async def candidates(self) -> list[BackendChoice]:
        return list(SPEAKERS)

    async def speak_next(self, name: str) -> Switch:
        return self._switch(name, once=True)

    async def speak_from_now(self, name: str) -> Switch:
        return self._switch(name, once=False)

    def _switch(self, name: str, *, once: bool) -> Switch:
        speaker = next((each for each in SPEAKERS if each.name == name and not each.problem), None)
        if speaker is None:
            raise NoBackend(f"there is no backend {name!r}")
        self.switched.append((name, once))
        self.info = replace(self.info, next_backend=name, next_model=speaker.model, once=once)
        return Switch(speaker)

    async def preview(self, text: str) -> Explanation:
        raise RequestProblem("there is no repository here.")

    async def consult(self, question: Callable[[Repository], T]) -> T:
        """No repository stands behind this: whatever is asked for, there is none of it."""
        return cast("T", [])

    async def act(self, act: Callable[[Workspace], T]) -> T:
        raise RequestProblem("there is no repository here.")

    async def backup_warning(self) -> str:
        return ""

    async def look_again(self) -> list[Notice] | None:
        return None

    async def close(self) -> None:
        self.closed = True

    async def _turn(self, text: str | None) -> AsyncIterator[Event]:
        self._stopped = False
        if self.unkept is not None:
            if self.gate is not None:
                await self.gate.wait()
            if isinstance(self.unkept, Failed):
                yield self.unkept
                return
            raise self.unkept
        self._number += 1
        turn = TurnId(self._open, self._number)
        message = Message(self.info.user, text, NOW) if text is not None else None
        if self._number == 1 and self.greeting:
            yield Greeted(TurnId(self._open, 0), Reply(self.info.companion, self.greeting, NOW))
        if message is not None and text is not None:
            self.said.append(text)
            yield MessageKept(turn, message)
        if self.failure is not None:
            yield Saved(turn, Turn(self._number, message), "c0ffee", "main")
            yield self.failure
            return
        yield ReplyStarted(turn, self.info.companion, "local", "smollm2-135m", 812, 8192, 0)
        if self.explosion is not None:
            raise self.explosion
        pieces = self.replies.pop(0) if self.replies else (ANSWERS[self._number % len(ANSWERS)],)
        heard = []
        for piece in pieces:
            if self.gate is not None:
                await self.gate.wait()
            if self._stopped:
                break
            await asyncio.sleep(self.pace)
            heard.append(piece)
            yield ReplyPiece(piece)
        if self.uncommitted is not None:
            yield self.uncommitted
            return
        reply = Reply(
            self.info.companion,
            "".join(heard),
            NOW,
            backend="local",
            model="smollm2-135m",
            interrupted=self._stopped,
        )
        self.info = replace(self.info, saved_at=NOW, used=876)
        spoken = Turn(self._number, message, (reply,))
        self.kept.append(spoken)
        yield Saved(turn, spoken, "c0ffee", "main")


class ScriptedTranscript:
    """Chunks made on demand; counts what was read."""

    def __init__(
        self,
        chunks: Sequence[ChunkRef],
        turns: Callable[[int], Sequence[Turn]],
        *,
        troubles: dict[int, Sequence[Trouble]] | None = None,
        titles: dict[ConversationId, str] | None = None,
    ) -> None:
        self.chunks = tuple(chunks)
        self._turns = turns
        self._troubles = troubles or {}
        self._titles = titles or {}
        self.reads: list[int] = []
        self.beside = TurnMarks()

    def turns(self, index: int) -> Sequence[Turn]:
        self.reads.append(index)
        return self._turns(index)

    def troubles(self, index: int) -> Sequence[Trouble]:
        return self._troubles.get(index, ())

    def marks(self, index: int) -> TurnMarks:
        return self.beside

    def conversations(self) -> Sequence[ConversationRef]:
        found: dict[ConversationId, list[int]] = {}
        for place, ref in enumerate(self.chunks):
            found.setdefault(ref.conversation, []).append(place)
        return [ConversationRef(one, places[0], len(places)) for one, places in found.items()]

    def title(self, conversation: ConversationRef) -> str:
        return self._titles.get(conversation.id, "")

    def refresh(self, rev: str | None = None) -> None:
        return None


TITLES = ("the river", "the job", "an empty afternoon", "harsh words", "bread", "Anna's letter")


def life(conversations: int, *, turns_each: int = 6, until: datetime = NOW) -> ScriptedTranscript:
    """So many conversations, one a chunk, ending the day before ``until``."""
    refs, titles, starts = [], {}, []
    for number in range(conversations):
        at = until - timedelta(days=conversations - number, hours=6 - number % 5)
        identity = ConversationId.begin(at, f"{number:08x}")
        path = f"conversations/{at:%Y-%m}/{at:%d}/{identity.minute}-0001-{identity.hex}.md"
        refs.append(ChunkRef(path, f"{number:040x}", identity, 1))
        titles[identity] = TITLES[number % len(TITLES)]
        starts.append(at)

    def turns(index: int) -> Sequence[Turn]:
        at = starts[index]
        made = []
        for number in range(1, turns_each + 1):
            moment = at + timedelta(minutes=2 * number)
            pick = (index + number) % len(SAYINGS)
            reply = Reply(
                "Mira",
                ANSWERS[pick],
                moment + timedelta(seconds=9),
                backend="local",
                model="smollm2-135m",
                interrupted=(index + number) % 17 == 0,
            )
            made.append(Turn(number, Message("You", SAYINGS[pick], moment), (reply,)))
        return made

    return ScriptedTranscript(refs, turns, titles=titles)


def opened(session: ScriptedSession, transcript: ScriptedTranscript | Transcript) -> Opened:
    """A scripted session in the place of the real one; both have what the screen asks of it."""
    return Opened(cast("Session", session), cast("Transcript", transcript))


def opener(session: ScriptedSession, transcript: ScriptedTranscript) -> Opener:
    """Opens the scripted companion at once."""

    async def open_companion() -> Opened:
        return opened(session, transcript)

    return open_companion
