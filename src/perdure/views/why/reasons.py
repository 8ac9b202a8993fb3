"""Why each part of a prompt is in it, and why the rest is not. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.companion.config.settings import CompanionSettings
from perdure.prompt import Choice, Part, PartKind, Prompt, PromptInputs

if TYPE_CHECKING:
    from perdure.companion.memory.facts import Fact

_TRUST = {
    "user": "said by the user",
    "companion": "learned in a conversation",
    "imported": "imported",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was there and is not in the prompt.

    Attributes:
        kind: what it is.
        source: path or turn id; of several older turns, the newest of them.
        reason: why it is not in.
        score: of an earlier turn that recall found, how well it fits; else None.
    """

    kind: PartKind
    source: str
    reason: str
    score: float | None = None


def reasons(inputs: PromptInputs, prompt: Prompt, settings: CompanionSettings) -> list[str]:
    """One reason for each part of a prompt."""
    keys = _keys(inputs, prompt.choice, settings)
    facts = {(fact.path, fact.line): fact for fact in inputs.facts}
    newest = str(inputs.turns[-1].id)
    reminder = inputs.persona.reminder
    through = {summary.path: summary.through for summary in inputs.summaries}

    depth = reminder.depth if reminder is not None else 0
    fixed: Mapping[PartKind, str] = {
        "persona": "always in",
        "example": "sample dialogue, trimmed first",
        "turn": "recent turn",
        "reminder": f"said again {depth} messages before the end",
        "recalled": "found by recall for this message, with what was said around it",
        "time": f"time: {settings.time}",
    }

    def why(part: Part) -> str:
        if part.kind == "lore":
            return keys.get(part.source, "came in earlier, and stays until the window moves")
        if part.kind == "fact":
            return _why_fact(facts.get((part.source, part.line)))
        if part.kind == "summary":
            return f"an earlier conversation, up to its turn {through.get(part.source, 0)}"
        return "to be answered" if part.source == newest else fixed[part.kind]

    return [why(part) for part in prompt.parts]


def _why_fact(fact: Fact | None) -> str:
    if fact is None:
        return ""
    return ("pinned, " if fact.pinned else "") + _TRUST[fact.trust]


def _keys(inputs: PromptInputs, choice: Choice, settings: CompanionSettings) -> Mapping[str, str]:
    """Why lore is in, by path, as far as the conversation at that time shows."""
    if not inputs.lore:
        return {}
    from perdure.prompt.choice import lore_now

    scanned = lore_now(inputs, settings.lore, without=choice.lore_timed_out)
    told = {
        path: "searching for its keys takes too long here to say which of them was said"
        for path in scanned.timed_out
        if path in choice.lore
    }
    for each in scanned.triggered:
        if each.entry.constant:
            told[each.entry.path] = "constant"
        elif each.by:
            told[each.entry.path] = f"{each.key!r} is in {each.by}"
        else:
            told[each.entry.path] = f"{each.key!r} was said"
    return told


def left_out(
    inputs: PromptInputs, prompt: Prompt, settings: CompanionSettings
) -> tuple[LeftOut, ...]:
    """What the tree has for this prompt that the prompt does not."""
    choice = prompt.choice
    found: list[LeftOut] = []
    shown = inputs.persona.examples[choice.examples :]
    found += [LeftOut("example", each.path, "trimmed: no room") for each in shown]
    found += [
        LeftOut("lore", path, f"{why}, but no room in lore's budget")
        for path, why in _keys(inputs, choice, settings).items()
        if path not in choice.lore
    ]
    found += [
        LeftOut("lore", path, "searching for its keys took too long")
        for path in choice.lore_timed_out
    ]
    facts = inputs.facts[choice.facts :] if choice.facts is not None else ()
    found += [
        LeftOut("fact", f"{each.path}:{each.line}", "no room in the facts' budget")
        for each in facts
    ]
    if prompt.left_out:
        last = inputs.turns[prompt.left_out - 1].id
        found.append(
            LeftOut("turn", str(last), f"and older: {prompt.left_out} or more turns, no room")
        )
    return tuple(found)
