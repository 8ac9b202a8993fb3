"""Version 2 of the prompt: version 1 with lore, notes and earlier turns.

Its output never changes; a change of wording or order is a new version.

Order of the messages:

1. one system message: lore that stands before the persona, the persona's files in name order, lore
   that stands after it, example conversations;
2. in front of the window's first message, as the user's: facts and summaries, quoted;
3. the turns from the window's first on; lore with a depth and the reminder as system messages, so
   many messages before the end;
4. in front of the newest message, in the same message: earlier moments, quoted, and the time.

What anybody may have written into memory is quoted line by line between two fixed lines, and never
has the system role: no text in it can end the quotation or speak as the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from perdure.backends.protocol import PromptMessage, Role
from perdure.companion.ids import TurnId
from perdure.companion.persona.persona import ExampleLine, fill
from perdure.companion.turns import Turn
from perdure.prompt.errors import ChoiceMissing
from perdure.prompt.excerpt import excerpt
from perdure.prompt.v2_wording import wording
from perdure.prompt.values import Choice, Part, PastTurn, Prompt, PromptInputs

if TYPE_CHECKING:
    from perdure.companion.memory.aside import TurnRange
    from perdure.companion.memory.facts import Fact
    from perdure.companion.memory.lore import LoreEntry

SaidBy = Callable[[PromptInputs, Turn], list[PromptMessage]]
ShownMoment = Callable[[Turn, str], list[str]]
MOMENT_CELLS = 400
"""Longest message of an earlier moment, in terminal cells; one character of Chinese is two."""


def assemble(inputs: PromptInputs, choice: Choice) -> Prompt:
    """Put the chosen parts together.

    Raises:
        ChoiceMissing: the choice names something that the inputs lack.
    """
    return put_together(inputs, choice, said, moment_lines)


def put_together(
    inputs: PromptInputs, choice: Choice, said_by: SaidBy, shown: ShownMoment
) -> Prompt:
    """Put the chosen parts together, with the two functions that a later version replaces.

    Args:
        inputs: what there is.
        choice: what of it is sent.
        said_by: a turn as messages, nothing added.
        shown: the lines of an earlier turn, for the newest message.

    Raises:
        ChoiceMissing: the choice names something that the inputs lack.
    """
    start = _start(inputs, choice)
    sent = inputs.turns[start:]
    lore = _entries(inputs, choice)
    system, parts = _system(inputs, lore, choice.examples)
    notes, noted = notes_block(inputs, _facts(inputs, choice), choice)
    talk, spoken = _talk(inputs, sent, choice, said_by, shown)
    opened = [PromptMessage("user", notes)] if notes else []
    merged = _merge([*opened, *talk])
    deep, placed = _deep(inputs, lore)
    head = [PromptMessage("system", system)] if system else []
    return Prompt(
        tuple(head + _insert(merged, deep)),
        (*parts, *noted, *placed, *spoken),
        choice,
        start,
    )


def _start(inputs: PromptInputs, choice: Choice) -> int:
    for place, past in enumerate(inputs.turns):
        if past.id == choice.window:
            return place
    raise ChoiceMissing(f"the talk has no turn {choice.window}")


# The system message


def _entries(inputs: PromptInputs, choice: Choice) -> list[LoreEntry]:
    known = {entry.path: entry for entry in inputs.lore}
    missing = [path for path in choice.lore if path not in known]
    if missing:
        raise ChoiceMissing(f"there is no lore entry {missing[0]}")
    return [known[path] for path in choice.lore]


def _named(inputs: PromptInputs, text: str) -> str:
    return fill(text, char=inputs.char, user=inputs.user).strip()


def _system(
    inputs: PromptInputs, lore: Sequence[LoreEntry], examples: int
) -> tuple[str, list[Part]]:
    """The system message and its parts."""
    parts = [
        *_lore_parts(inputs, lore, "before"),
        *(Part("persona", each.path, _named(inputs, each.text)) for each in inputs.persona.files),
        *_lore_parts(inputs, lore, "after"),
    ]
    parts = [part for part in parts if part.text]
    texts = [part.text for part in parts]
    shown = [
        Part("example", example.path, example_text(inputs, example.lines))
        for example in inputs.persona.examples[:examples]
    ]
    if shown:
        heading = wording(inputs.language).examples.format(char=inputs.char, user=inputs.user)
        talks = "\n\n---\n\n".join(part.text for part in shown)
        texts.append(f"{heading}\n\n{talks}")
    return "\n\n".join(texts), parts + shown


def _lore_parts(inputs: PromptInputs, lore: Sequence[LoreEntry], place: str) -> list[Part]:
    return [
        Part("lore", entry.path, _named(inputs, entry.text))
        for entry in lore
        if entry.position == place
    ]


def example_text(inputs: PromptInputs, lines: Iterable[ExampleLine]) -> str:
    """One example as the model is shown it."""
    return "\n".join(
        f"{inputs.user if line.by_user else inputs.char}: {_named(inputs, line.text)}"
        for line in lines
    )


# What is quoted


def quoted_lines(text: str) -> list[str]:
    """Put ``> `` before each line of a text, whatever a reader might take for a line's end."""
    return [f"> {line}".rstrip() for line in text.splitlines()] or [">"]


def _facts(inputs: PromptInputs, choice: Choice) -> tuple[Fact, ...]:
    if choice.facts is None:
        return inputs.facts
    if choice.facts > len(inputs.facts):
        raise ChoiceMissing(f"there are only {len(inputs.facts)} facts, not {choice.facts}")
    return inputs.facts[: choice.facts]


def notes_block(
    inputs: PromptInputs, facts: Sequence[Fact], choice: Choice
) -> tuple[str, list[Part]]:
    """Facts by topic and line, then summaries, oldest first; empty without any."""
    words = wording(inputs.language)
    by_topic = sorted(facts, key=lambda fact: (fact.topic, fact.path, fact.line, fact.text))
    lines: list[str] = []
    parts: list[Part] = []
    for topic, group in groupby(by_topic, key=lambda fact: fact.topic):
        lines += [*([">"] if lines else []), *quoted_lines(f"{topic}:")]
        for fact in group:
            text = _named(inputs, fact.text)
            lines += quoted_lines(f"- {text}")
            parts.append(Part("fact", fact.path, text, fact.line, fact.source))
    known = {summary.conversation: summary for summary in inputs.summaries}
    for conversation in sorted(choice.summaries):
        if conversation not in known:
            raise ChoiceMissing(f"there is no summary of {conversation}")
        summary = known[conversation]
        title = words.talk_of.format(date=words.on_day(conversation.day))
        lines += [*([">"] if lines else []), *quoted_lines(f"{title}:")]
        lines += quoted_lines(summary.text.strip())
        parts.append(Part("summary", summary.path, summary.text.strip()))
    if not lines:
        return "", []
    opening = words.notes.format(char=inputs.char, user=inputs.user)
    return "\n".join([opening, *lines, words.notes_end]), parts


def moments_block(
    inputs: PromptInputs, moments: Sequence[TurnRange], shown: ShownMoment
) -> tuple[str, list[Part]]:
    """Earlier turns, each with its date and speakers, in the order given; empty without any."""
    if not moments:
        return "", []
    words, question = wording(inputs.language), question_of(inputs)
    lines: list[str] = []
    parts: list[Part] = []
    for moment in moments:
        turns = [_recalled(inputs, TurnId(moment.conversation, n)) for n in _numbers(moment)]
        day = next((at for at in map(_day, turns) if at is not None), moment.conversation.day)
        said = [line for turn in turns for line in shown(turn, question)]
        lines += [*([">"] if lines else []), *quoted_lines(f"{words.on_day(day)}:")]
        lines += [quoted for line in said for quoted in quoted_lines(line)]
        parts.append(Part("recalled", str(moment), "\n".join(said)))
    return "\n".join([words.moments, *lines, words.moments_end]), parts


def _numbers(moment: TurnRange) -> range:
    return range(moment.first, moment.last + 1)


def _recalled(inputs: PromptInputs, turn: TurnId) -> Turn:
    found = inputs.recalled.get(turn)
    if found is None:
        raise ChoiceMissing(f"there is no turn {turn}")
    return found


def _day(turn: Turn) -> date | None:
    message = turn.message
    at = message.at if message is not None else None
    return at or next((reply.at for reply in turn.replies if reply.at is not None), None)


def moment_lines(turn: Turn, question: str) -> list[str]:
    """What was said in an earlier turn, of long messages the part that a question is about."""
    said = [(turn.message.speaker, turn.message.text)] if turn.message is not None else []
    said += [(reply.speaker, reply.text) for reply in turn.replies]
    shown = [(speaker, excerpt(text, question, MOMENT_CELLS)) for speaker, text in said]
    return [f"{speaker}: {text}" if speaker else text for speaker, text in shown]


def question_of(inputs: PromptInputs) -> str:
    """The text that earlier turns are shown for: the newest message."""
    message = inputs.turns[-1].turn.message
    return message.text if message is not None else ""


# The turns


def _talk(
    inputs: PromptInputs,
    sent: Sequence[PastTurn],
    choice: Choice,
    said_by: SaidBy,
    shown: ShownMoment,
) -> tuple[list[PromptMessage], list[Part]]:
    messages: list[PromptMessage] = []
    parts: list[Part] = []
    newest = sent[-1]
    front, fronted = "", list[Part]()
    if newest.turn.message is not None:
        front, fronted = _front(inputs, choice, shown)
    for past in sent:
        if past is newest:
            parts += fronted
        spoken = said_by(inputs, past.turn)
        parts.append(Part("turn", str(past.id), "\n\n".join(each.content for each in spoken)))
        if past is newest and front:
            spoken[0] = replace(spoken[0], content=front + spoken[0].content)
        messages += spoken
    return messages, parts


def said(inputs: PromptInputs, turn: Turn) -> list[PromptMessage]:
    """A turn as messages, with nothing added."""
    spoken = [PromptMessage("user", turn.message.text)] if turn.message is not None else []
    for reply in turn.replies:
        own = reply.speaker == inputs.char
        role: Role = "assistant" if own else "user"
        spoken.append(PromptMessage(role, reply.text if own else f"{reply.speaker}: {reply.text}"))
    return spoken


def _front(inputs: PromptInputs, choice: Choice, shown: ShownMoment) -> tuple[str, list[Part]]:
    """The beginning of the newest message: earlier turns, and the time."""
    block, parts = moments_block(inputs, choice.recalled, shown)
    front = f"{block}\n\n" if block else ""
    if inputs.time != "off" and inputs.now is not None:
        words = wording(inputs.language)
        line = words.time_line(inputs.now, inputs.last_talk, clock=inputs.time == "full")
        parts = [*parts, Part("time", "", line)]
        front += f"{line}\n"
    return front, parts


def _merge(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Join neighbours of one role: several providers insist on alternation."""
    merged: list[PromptMessage] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            joined = f"{merged[-1].content}\n\n{message.content}"
            merged[-1] = replace(merged[-1], content=joined)
        else:
            merged.append(message)
    return merged


def _deep(
    inputs: PromptInputs, lore: Sequence[LoreEntry]
) -> tuple[list[tuple[int, str]], list[Part]]:
    """What goes so many messages before the end, with that number: lore, then the reminder."""
    deep = [
        (entry.position, Part("lore", entry.path, _named(inputs, entry.text)))
        for entry in lore
        if isinstance(entry.position, int)
    ]
    reminder = inputs.persona.reminder
    if reminder is not None:
        text = _named(inputs, reminder.text)
        deep.append((reminder.depth, Part("reminder", reminder.path, text)))
    deep = [(depth, part) for depth, part in deep if part.text]
    return [(depth, part.text) for depth, part in deep], [part for _, part in deep]


def _insert(talk: Sequence[PromptMessage], deep: Sequence[tuple[int, str]]) -> list[PromptMessage]:
    """Insert system messages into the turns; those that meet at one place become one message."""
    at: dict[int, list[str]] = {}
    for depth, text in deep:
        # The last message is the user's: several providers want it so.
        at.setdefault(max(0, len(talk) - max(1, depth)), []).append(text)
    woven: list[PromptMessage] = []
    for place, message in enumerate(talk):
        if place in at:
            woven.append(PromptMessage("system", "\n\n".join(at[place])))
        woven.append(message)
    return woven
