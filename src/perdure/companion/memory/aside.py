"""``memory/aside/*.md``: turns and facts that stay in place but are left out of prompts.

A file a decision, so that taking it back is deleting a file, and two devices never conflict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from perdure.companion.errors import BadFile
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.yaml.fast import read_front_matter, split_front_matter
from perdure.companion.yaml.quote import quoted
from perdure.companion.yaml.strict import flattened

ASIDE_FOLDER = "memory/aside"

_RANGE = re.compile(r"(.+)/(\d{1,9})(?:\.\.(\d{1,9}))?")
_KEYS = ("turns", "facts")


@dataclass(frozen=True, slots=True, order=True)
class TurnRange:
    """Turns ``first`` to ``last`` of a conversation, inclusive."""

    conversation: ConversationId
    first: int
    last: int

    def __str__(self) -> str:
        start = f"{self.conversation}/{self.first}"
        return start if self.first == self.last else f"{start}..{self.last}"

    def __contains__(self, turn: object) -> bool:
        return (
            isinstance(turn, TurnId)
            and turn.conversation == self.conversation
            and self.first <= turn.number <= self.last
        )

    @classmethod
    def parse(cls, text: str) -> TurnRange:
        """Read ``<turn-id>`` or ``<turn-id>..<n>``. Raises ValueError."""
        found = _RANGE.fullmatch(text.strip())
        if not found:
            raise ValueError(f"not a turn or a range of turns: {text!r}")
        first = int(found[2])
        last = int(found[3]) if found[3] else first
        if last < first:
            raise ValueError(f"a range that ends before it begins: {text!r}")
        return cls(ConversationId(found[1]), first, last)


@dataclass(frozen=True, slots=True)
class Aside:
    """What one file excludes, and why."""

    turns: tuple[TurnRange, ...] = ()
    facts: tuple[str, ...] = ()
    reason: str = ""


def aside_path(turns: TurnRange) -> str:
    """The file for excluding these turns; the same turns give the same path."""
    last = "" if turns.first == turns.last else f"-{turns.last}"
    return f"{ASIDE_FOLDER}/{turns.conversation}-{turns.first}{last}.md"


def render_aside(aside: Aside) -> bytes:
    """Write the file. The reason is the text below the front matter."""
    lines = ["---"]
    if aside.turns:
        lines += ["turns:", *(f"  - {turns}" for turns in aside.turns)]
    if aside.facts:
        lines += ["facts:", *(f"  - {quoted(fact)}" for fact in aside.facts)]
    lines += ["---", ""]
    reason = aside.reason.strip("\n")
    return ("\n".join(lines) + (f"\n{reason}\n" if reason else "")).encode()


def parse_aside(data: bytes, path: str) -> Aside:
    """Read an aside file.

    Raises:
        BadFile: it is not UTF-8, or its front matter cannot be read, or names what is no turn.
    """
    try:
        text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadFile(path, data.count(b"\n", 0, error.start) + 1, "not UTF-8") from error
    lines = text.split("\n")
    front, start = split_front_matter(lines)
    if not start:
        raise BadFile(path, 1, "it does not start with front matter between two '---' lines")
    node = read_front_matter(front, path)
    values: dict[str, list[str]] = {}
    for key in _KEYS:
        if key in node.items:
            value = flattened(node.items[key])
            values[key] = value if isinstance(value, list) else [value]
    try:
        turns = tuple(TurnRange.parse(item) for item in values.get("turns", ()))
    except ValueError as error:
        raise BadFile(path, node.lines["turns"], str(error)) from error
    return Aside(turns, tuple(values.get("facts", ())), "\n".join(lines[start:]).strip("\n"))


def is_aside(turn: TurnId, asides: Iterable[Aside]) -> bool:
    """Whether a turn is excluded."""
    return any(turn in turns for aside in asides for turns in aside.turns)


def bring_back(aside: Aside, turns: Sequence[TurnRange]) -> Aside | None:
    """What stays excluded when some turns return; None if nothing does and the file goes."""
    kept = list(aside.turns)
    for back in turns:
        kept = [piece for one in kept for piece in _cut(one, back)]
    if not kept and not aside.facts:
        return None
    return replace(aside, turns=tuple(kept))


def _cut(one: TurnRange, back: TurnRange) -> list[TurnRange]:
    if one.conversation != back.conversation or back.last < one.first or one.last < back.first:
        return [one]
    pieces = []
    if one.first < back.first:
        pieces.append(replace(one, last=back.first - 1))
    if back.last < one.last:
        pieces.append(replace(one, first=back.last + 1))
    return pieces
