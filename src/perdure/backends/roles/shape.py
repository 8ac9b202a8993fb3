"""The order of roles that a chat template accepts, and prompts folded to fit it.

Chat templates and servers differ in where a system message may stand, and in whether user and
assistant have to take turns. A prompt is made in the widest shape that the protocols have; folding
is a pure step between the prompt and the driver. Its hash on the turn is that of the prompt before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from perdure.backends.protocol import PromptMessage, Tokenizer, sendable
from perdure.backends.roles.refusal import NO_SYSTEM, ONE_SYSTEM, TURNS_WANTED

OPENER = "(The conversation begins.)"
"""The user's message before a greeting, where the user has to be first."""

System = Literal["anywhere", "first", "none"]
_STRICTER: dict[System, int] = {"anywhere": 0, "first": 1, "none": 2}


@dataclass(frozen=True, slots=True)
class Shape:
    """Which roles are allowed where.

    Attributes:
        system: system messages ``anywhere``, one at the front, or none.
        turns: user and assistant take turns, the user first. Then no system message may stand
            between them.
    """

    system: System = "anywhere"
    turns: bool = False

    def __post_init__(self) -> None:
        if self.turns and self.system == "anywhere":
            object.__setattr__(self, "system", "first")

    def __str__(self) -> str:
        """The form used in manifests and lock files; `parse_shape` reads it."""
        words = [_WORDS[self.system]] if self.system == "none" or not self.turns else []
        return " ".join([*words, *(["alternate"] if self.turns else [])])

    @property
    def described(self) -> str:
        """In words, to follow "with"."""
        system = {"anywhere": "", "first": "one system message", "none": "no system message"}
        parts = [system[self.system], "user and assistant in turns" if self.turns else ""]
        return " and ".join(filter(None, parts)) or "all its roles"

    def with_(self, system: System, *, turns: bool) -> Shape:
        """The shape that satisfies both this one and another."""
        stricter = max(self.system, system, key=_STRICTER.__getitem__)
        return Shape(stricter, self.turns or turns)


_WORDS: dict[System, str] = {"anywhere": "plain", "first": "one-system", "none": "no-system"}
PLAIN = Shape()
SHAPES = (
    PLAIN,
    Shape("first"),
    Shape("first", turns=True),
    Shape("none", turns=True),
)
"""From the widest to the strictest; each is tried where the one before was refused."""


def parse_shape(text: str) -> Shape:
    """The shape for the words ``plain``, ``one-system``, ``no-system``, ``alternate``.

    Raises:
        ValueError: one of them is no such word, or ``plain`` is not alone.
    """
    words = set(re.split(r"[\s,]+", text.strip().lower()))
    if not words <= {*_WORDS.values(), "alternate"} or ("plain" in words and len(words) > 1):
        raise ValueError(f"{text!r} is not a prompt shape")
    system: System = "none" if "no-system" in words else "anywhere"
    if system == "anywhere" and "one-system" in words:
        system = "first"
    return Shape(system, "alternate" in words)


def fold(messages: tuple[PromptMessage, ...], shape: Shape) -> tuple[PromptMessage, ...]:
    """The messages folded into a shape; unchanged if it takes all roles anywhere.

    The system messages at the front become one, or, where there is no system role, the beginning of
    what the user says. A later one becomes a marked line of the user's message. Messages of the
    same side are joined, names of speakers lead their texts, and empty messages are left out.
    Folding twice changes nothing.
    """
    if shape == PLAIN:
        return messages
    front = 0
    while front < len(messages) and messages[front].role == "system":
        front += 1
    system = "\n\n".join(with_speaker(each) for each in messages[:front] if each.content.strip())
    turns: list[PromptMessage] = []
    if shape.system == "none" and system:
        turns.append(PromptMessage("user", system))
    for message in messages[front:]:
        role, content = message.role, with_speaker(message)
        if not content.strip():
            continue
        if role == "system":
            role, content = "user", f"[Instructions for this reply: {content.strip()}]"
        if turns and turns[-1].role == role:
            turns[-1] = PromptMessage(role, f"{turns[-1].content}\n\n{content}")
        else:
            turns.append(PromptMessage(role, content))
    if shape.turns and (not turns or turns[0].role != "user"):
        turns.insert(0, PromptMessage("user", OPENER))
    if shape.system == "none" or not system:
        return tuple(turns)
    return (PromptMessage("system", system), *turns)


def with_speaker(message: PromptMessage) -> str:
    """A message's text for a chat template: these know no speakers, so the name leads it."""
    text = f"{message.name}: {message.content}" if message.name else message.content
    return sendable(text)


class FoldedTokenizer:
    """Counts prompts the way they are sent to a model that takes only one shape."""

    def __init__(self, plain: Tokenizer, shape: Shape) -> None:
        self.exact, self.name = plain.exact, plain.name
        self._plain = plain
        self._shape = shape

    def count(self, text: str) -> int:
        """Tokens of a text on its own."""
        return self._plain.count(text)

    def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
        """Tokens of a prompt, after folding."""
        return self._plain.count_prompt(fold(messages, self._shape))


def folded_counter(tokenizer: Tokenizer, shape: Shape) -> Tokenizer:
    """A counter for prompts that are sent in a shape."""
    return tokenizer if shape == PLAIN else FoldedTokenizer(tokenizer, shape)


def narrowed(shape: Shape, words: str) -> Shape:
    """The shape without what the words reject; unchanged if they reject nothing."""
    # "System role not supported after ..." would be both: the order of messages is the milder one.
    if ONE_SYSTEM.search(words) and shape.system == "anywhere":
        shape = shape.with_("first", turns=False)
    elif NO_SYSTEM.search(words):
        shape = shape.with_("none", turns=False)
    return shape.with_("first", turns=True) if TURNS_WANTED.search(words) else shape


def next_shape(shape: Shape, words: str) -> Shape | None:
    """The shape to try after a server refused ``shape``; None if none is left.

    What the words say is believed where it makes the shape stricter, else the next stricter one is
    tried.
    """
    found = narrowed(shape, words)
    if found != shape:
        return found
    stricter = (shape.with_(each.system, turns=each.turns) for each in SHAPES)
    return next((each for each in stricter if each != shape), None)


ANTHROPIC_SHAPE = Shape("first", turns=True)
"""What the protocol takes of a prompt's roles."""
