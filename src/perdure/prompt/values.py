"""What every version of the prompt takes and returns, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from perdure.backends.protocol import PromptMessage
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.persona.persona import Persona
from perdure.companion.turns import Turn

if TYPE_CHECKING:
    from perdure.companion.memory.aside import TurnRange
    from perdure.companion.memory.facts import Fact
    from perdure.companion.memory.lore import LoreEntry
    from perdure.companion.memory.summaries import Summary

PartKind = Literal[
    "persona", "lore", "example", "fact", "summary", "turn", "reminder", "recalled", "time"
]


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A turn with its permanent id."""

    id: TurnId
    turn: Turn


@dataclass(frozen=True, slots=True)
class PromptInputs:
    """All that a prompt is made of: the values of one tree, and the newest message.

    Attributes:
        persona: who she is.
        char: her name.
        user: what she calls the user.
        turns: the thread, oldest first; the last one is to be answered.
        time: whether the time stands beside the newest message.
        now: the time of the newest message, aware.
        last_talk: the time of the one before it.
        lore: every entry that is switched on.
        facts: what may stand in a prompt, best first.
        summaries: of conversations, newest first.
        recalled: earlier turns that a choice may name.
        language: language tag of the texts that are not the companion's own.
        former_names: names that she had before.
    """

    persona: Persona
    char: str
    user: str
    turns: tuple[PastTurn, ...]
    time: Literal["off", "date", "full"] = "off"
    now: datetime | None = None
    last_talk: datetime | None = None
    lore: tuple[LoreEntry, ...] = ()
    facts: tuple[Fact, ...] = ()
    summaries: tuple[Summary, ...] = ()
    recalled: Mapping[TurnId, Turn] = field(default_factory=dict)
    language: str = "en"
    former_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided about a prompt; everything else follows from the tree.

    Attributes:
        window: the first turn of the thread that is sent.
        examples: how many example conversations, from the first on.
        lore: paths of the entries that are sent, in their order.
        facts: how many facts, from the best on; None: all.
        summaries: conversations whose summaries are sent.
        recalled: earlier turns that are sent, oldest first.
        lore_timed_out: paths of entries that are not sent since searching for their keys took too
            long on the machine that chose.
    """

    window: TurnId
    examples: int
    lore: tuple[str, ...] = ()
    facts: int | None = None
    summaries: tuple[ConversationId, ...] = ()
    recalled: tuple[TurnRange, ...] = ()
    lore_timed_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a prompt.

    Attributes:
        kind: what it is.
        source: the path, or the turn id, that it came from; empty for the time.
        text: what it put into the prompt, names filled in.
        line: the line in the file, for parts that are lines; else 0.
        taught_by: for a fact, the turn or import that it was learned from.
    """

    kind: PartKind
    source: str
    text: str = ""
    line: int = 0
    taught_by: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages as they are sent, and what each was made of."""

    messages: tuple[PromptMessage, ...]
    parts: tuple[Part, ...]
    choice: Choice
    left_out: int
    """Turns of the thread before the window's first."""

    @property
    def digest(self) -> str:
        """32 hex digits of the SHA-256 of the canonical JSON of the messages."""
        return digest(self.messages)


def digest(messages: tuple[PromptMessage, ...]) -> str:
    """Hash messages: JSON, keys sorted, no spaces, UTF-8 with lone surrogates passed through."""
    plain = [
        {"content": m.content, "role": m.role} | ({"name": m.name} if m.name else {})
        for m in messages
    ]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
