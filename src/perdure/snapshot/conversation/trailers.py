"""The commit of a turn: its subject and the trailers for machines (docs/format.md)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.names import title_from
from perdure.companion.turns import Turn
from perdure.prompt import Choice, PromptInputs
from perdure.snapshot.conversation.turn_ranges import ranges_text, read_ranges

if TYPE_CHECKING:
    from perdure.companion.memory.aside import TurnRange

_SUBJECT_CELLS = 60
ALL_FACTS = 1_000_000
"""How many example conversations a choice names where none were left out."""


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """What a turn's commit records beside the text; empty fields are left out."""

    turn: TurnId
    answer: int = 0
    """Number of the answer, where the turn had one before."""
    backend: str = ""
    model: str = ""
    fingerprint: str = ""
    assembly: int = 0
    window: TurnId | None = None
    examples: int | None = None
    """Example conversations sent, where fewer than the persona has."""
    recalled: tuple[TurnRange, ...] = ()
    """Earlier turns that were put in."""
    lore: tuple[str, ...] = ()
    """Paths of the entries that were put in beside the constant ones."""
    lore_left_out: tuple[str, ...] = ()
    """Paths of constant entries that had no room."""
    lore_timed_out: tuple[str, ...] = ()
    """Paths of entries that were not put in since searching for their keys took too long."""
    facts: int | None = None
    """Facts sent, where fewer than there are."""
    summaries: tuple[ConversationId, ...] = ()
    """Conversations whose summaries were put in."""
    prompt: str = ""
    tokens: tuple[int, int] | None = None
    instead_of: tuple[str, ...] = ()
    """Backends that were asked before and did not speak, each with its reason."""
    base: str = ""
    """The commit that the prompt was assembled from, where it is not the parent."""


def turn_subject(turn: Turn) -> str:
    """``turn: `` and the first words of the message, on one printable line."""
    line = title_from((turn.message or turn.replies[0]).text, _SUBJECT_CELLS)
    return f"turn: {line or '(no words)'}"


def turn_message(turn: Turn, facts: TurnFacts) -> str:
    """The whole commit message."""
    lore = [_lore_name(path) for path in facts.lore]
    lore += [f"-{_lore_name(path)}" for path in facts.lore_left_out]
    lines = [("Turn", str(facts.turn))]
    lines += [
        (key, value)
        for key, value in (
            ("Answer", str(facts.answer or "")),
            ("Backend", facts.backend),
            ("Model", facts.model),
            ("Fingerprint", facts.fingerprint),
            ("Assembly", str(facts.assembly or "")),
            ("Window", str(facts.window or "")),
            ("Examples", "" if facts.examples is None else str(facts.examples)),
            ("Recalled", ranges_text(facts.recalled)),
            ("Lore", " ".join(lore)),
            ("Lore-Timed-Out", " ".join(map(_lore_name, facts.lore_timed_out))),
            ("Facts", "" if facts.facts is None else str(facts.facts)),
            ("Summary", " ".join(map(str, facts.summaries))),
            ("Prompt", facts.prompt),
            ("Tokens", f"{facts.tokens[0]}+{facts.tokens[1]}" if facts.tokens else ""),
            ("Base", facts.base),
        )
        if value
    ]
    lines += [("Instead-Of", failure) for failure in facts.instead_of]
    trailers = "\n".join(f"{key}: {_one_line(value)}" for key, value in lines)
    return f"{turn_subject(turn)}\n\n{trailers}\n"


def parse_trailers(trailers: Iterable[tuple[str, str]]) -> TurnFacts | None:
    """Read the trailers of a turn's commit; None where they name no turn.

    Trailers may come from anywhere, so what cannot be read counts as not there.
    """
    said: dict[str, str] = {}
    for key, value in trailers:
        said.setdefault(key, value.strip())
    turn = TurnId.read(said.get("Turn", ""))
    if turn is None:
        return None
    recalled: tuple[TurnRange, ...] = ()
    summaries: list[ConversationId] = []
    with suppress(ValueError):
        recalled = read_ranges(said.get("Recalled", ""))
    with suppress(ValueError):
        summaries = [ConversationId(each) for each in said.get("Summary", "").split()]
    lore = said.get("Lore", "").split()
    prompt, _, reply = said.get("Tokens", "").partition("+")
    counted = (_number(prompt), _number(reply))
    return TurnFacts(
        turn=turn,
        answer=_number(said.get("Answer", "")) or 0,
        backend=said.get("Backend", ""),
        model=said.get("Model", ""),
        fingerprint=said.get("Fingerprint", ""),
        assembly=_number(said.get("Assembly", "")) or 0,
        window=TurnId.read(said.get("Window", "")),
        examples=_number(said.get("Examples", "")),
        recalled=recalled,
        lore=tuple(_lore_path(name) for name in lore if not name.startswith("-")),
        lore_left_out=tuple(_lore_path(name[1:]) for name in lore if name.startswith("-")),
        lore_timed_out=tuple(map(_lore_path, said.get("Lore-Timed-Out", "").split())),
        facts=_number(said.get("Facts", "")),
        summaries=tuple(summaries),
        prompt=said.get("Prompt", ""),
        tokens=None if counted[0] is None else (counted[0], counted[1] or 0),
        instead_of=tuple(value for key, value in trailers if key == "Instead-Of"),
        base=said.get("Base", ""),
    )


def with_choice(facts: TurnFacts, choice: Choice, inputs: PromptInputs) -> TurnFacts:
    """The facts, with those parts of a choice that the tree does not tell."""
    constant = {entry.path for entry in inputs.lore if entry.constant and entry.enabled}
    shown = len(inputs.persona.examples)
    every = choice.facts is None or choice.facts >= len(inputs.facts)
    return replace(
        facts,
        window=choice.window,
        examples=choice.examples if choice.examples < shown else None,
        recalled=choice.recalled,
        lore=tuple(path for path in choice.lore if path not in constant),
        lore_left_out=tuple(sorted(constant.difference(choice.lore))),
        lore_timed_out=choice.lore_timed_out,
        facts=None if every else choice.facts,
        summaries=choice.summaries,
    )


def recorded_choice(facts: TurnFacts, inputs: PromptInputs) -> Choice | None:
    """The choice that a commit recorded for the same tree; None without one."""
    if facts.window is None:
        return None
    orders = {entry.path: (entry.order, entry.path) for entry in inputs.lore}
    constant = {entry.path for entry in inputs.lore if entry.constant and entry.enabled}
    lore = (constant - set(facts.lore_left_out)) | set(facts.lore)
    return Choice(
        window=facts.window,
        examples=len(inputs.persona.examples) if facts.examples is None else facts.examples,
        lore=tuple(sorted(lore, key=lambda path: orders.get(path, (0, path)))),
        facts=facts.facts,
        summaries=facts.summaries,
        recalled=facts.recalled,
        lore_timed_out=facts.lore_timed_out,
    )


def earlier_choice(facts: TurnFacts) -> Choice | None:
    """What a commit recorded of its choice, as a starting point for the next turn."""
    if facts.window is None:
        return None
    examples = ALL_FACTS if facts.examples is None else facts.examples
    return Choice(
        facts.window,
        examples,
        lore=facts.lore,
        summaries=facts.summaries,
        lore_timed_out=facts.lore_timed_out,
    )


def _one_line(value: str) -> str:
    """A value on one line: a trailer ends where its line does."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _lore_name(path: str) -> str:
    """A path without ``lore/`` and ``.md``, with nothing in it that ends a word."""
    name = path.removeprefix("lore/").removesuffix(".md")
    escaped = "".join(
        c if c.isprintable() and not c.isspace() and c != "%" else _escaped(c) for c in name
    )
    return f"%2D{escaped[1:]}" if escaped.startswith("-") else escaped


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def _lore_path(name: str) -> str:
    text = unquote_to_bytes(name.encode("utf-8", "surrogateescape"))
    return f"lore/{text.decode('utf-8', 'surrogateescape')}.md"
