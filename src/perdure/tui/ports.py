"""What the screen asks of the rooms below it; `chat.Session` and `chat.Transcript` meet this."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from perdure.actions.workspace import Helm
    from perdure.chat.events import Event
    from perdure.companion.errors import Trouble
    from perdure.companion.ids import ConversationId
    from perdure.companion.turns import Reply, Turn
    from perdure.git.repository.repository import Repository
    from perdure.notice import Notice
    from perdure.snapshot.conversation.transcript import ChunkRef, ConversationRef, TurnMarks
    from perdure.views.why.explain import Explanation

T = TypeVar("T")


class ChatInfo(Protocol):
    """What the status line tells. A fresh value at each read of `ChatSession.info`."""

    @property
    def companion(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def branch(self) -> str | None: ...
    @property
    def backend(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def rehearsal(self) -> bool: ...
    @property
    def conversation(self) -> ConversationId | None: ...
    @property
    def window(self) -> int: ...
    @property
    def used(self) -> int: ...
    @property
    def saved_at(self) -> datetime | None: ...
    @property
    def path(self) -> Path: ...
    @property
    def next_backend(self) -> str: ...
    @property
    def next_model(self) -> str: ...
    @property
    def once(self) -> bool: ...
    @property
    def away(self) -> bool: ...


class Speaker(Protocol):
    """A backend that could speak."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def order(self) -> int: ...
    @property
    def hosted(self) -> bool: ...
    @property
    def host(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def runs(self) -> str:
        """Where, in words."""
        ...

    def speaks(self, *, once: bool) -> str:
        """What a switch to it means, as a sentence."""
        ...


class Switched(Protocol):
    """Who speaks next, and what else there is to tell."""

    @property
    def candidate(self) -> Speaker: ...
    @property
    def notices(self) -> Sequence[Notice]: ...


class ChatSession(Protocol):
    """One open companion that can be talked to."""

    @property
    def info(self) -> ChatInfo: ...
    @property
    def notices(self) -> Sequence[Notice]: ...

    def opening(self) -> Reply | None:
        """The greeting that the next message will be sent under; None in mid-conversation."""
        ...

    def send(self, text: str) -> AsyncIterator[Event]:
        """One turn. The iterator is read to its end, also after `stop`."""
        ...

    def resume(self) -> AsyncIterator[Event]:
        """Answer the last message that has no reply."""
        ...

    def regenerate(self, turn: str = "", name: str = "") -> AsyncIterator[Event]:
        """Another answer to a turn; further up than the last one, on a new branch."""
        ...

    def stop(self) -> None:
        """End the running reply; what came of it is kept, and Saved still follows."""
        ...

    def new_conversation(self) -> None: ...

    async def candidates(self) -> Sequence[Speaker]:
        """All backends that could be switched to."""
        ...

    async def speak_next(self, name: str) -> Switched:
        """Let a backend give the next reply only."""
        ...

    async def speak_from_now(self, name: str) -> Switched:
        """Go on with a backend, also after the program is closed."""
        ...

    async def preview(self, text: str) -> Explanation:
        """The prompt that a message would be sent with now."""
        ...

    async def consult(self, question: Callable[[Repository], T]) -> T:
        """Ask the repository, on the thread that it belongs to."""
        ...

    async def steer(self, act: Callable[[Helm], T]) -> T:
        """Do something to the history, and go on from where it leads. Not during a turn."""
        ...

    async def look_again(self) -> Sequence[Notice] | None:
        """Follow what was done from outside; None where nothing was."""
        ...

    async def prepare(self) -> None:
        """Load the model ahead of the first message."""
        ...

    def remember(self, tell: Callable[[Notice], None]) -> None:
        """From now on, write summaries between turns; tell what was written."""
        ...

    async def close(self) -> None: ...


class ChatTranscript(Protocol):
    """The life on a branch: chunk names at once, a chunk's words when somebody looks."""

    @property
    def chunks(self) -> Sequence[ChunkRef]: ...

    def turns(self, index: int) -> Sequence[Turn]: ...

    def troubles(self, index: int) -> Sequence[Trouble]: ...

    def marks(self, index: int) -> TurnMarks: ...

    def conversations(self) -> Sequence[ConversationRef]: ...

    def title(self, conversation: ConversationRef) -> str: ...

    def refresh(self, rev: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A companion as it was opened for the screen."""

    session: ChatSession
    transcript: ChatTranscript


Opener = Callable[[], Coroutine[Any, Any, Opened]]
