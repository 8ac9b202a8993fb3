"""Version 1 of the prompt: persona, examples, turns, reminder and time.

Its output never changes; a change of wording or order is a new version.

Order of the messages: one system message (persona files in name order, then example conversations),
the turns from the window's first on, the reminder `depth` messages before the end. Time and gap
stand in front of the newest message.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from perdure.backends.protocol import PromptMessage
from perdure.companion.persona.persona import fill
from perdure.prompt.values import Choice, Part, PastTurn, Prompt, PromptInputs

# Spelled out: strftime's names follow the locale, and a prompt must not.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def assemble(inputs: PromptInputs, choice: Choice) -> Prompt:
    """Put the chosen parts together. Raises ValueError if the thread lacks the window's turn."""
    start = [past.id for past in inputs.turns].index(choice.window)
    sent = inputs.turns[start:]
    system, parts = _system(inputs, choice.examples)
    talk = _merge(_talk(inputs, sent))
    reminder = inputs.persona.reminder
    if reminder is not None and reminder.text.strip():
        text = fill(reminder.text, char=inputs.char, user=inputs.user).strip()
        at = max(0, len(talk) - max(1, reminder.depth))
        talk.insert(at, PromptMessage("system", text))
        parts.append(Part("reminder", reminder.path, text))
    parts.extend(Part("turn", str(past.id), turn_text(past)) for past in sent)
    head = [PromptMessage("system", system)] if system else []
    return Prompt(tuple(head + talk), tuple(parts), choice, start)


def _system(inputs: PromptInputs, examples: int) -> tuple[str, list[Part]]:
    """The system message and its parts."""
    parts: list[Part] = []
    texts: list[str] = []
    for file in inputs.persona.files:
        text = fill(file.text, char=inputs.char, user=inputs.user).strip()
        if text:
            texts.append(text)
            parts.append(Part("persona", file.path, text))
    shown = inputs.persona.examples[:examples]
    if shown:
        talks = [
            "\n".join(
                f"{inputs.user if line.by_user else inputs.char}: "
                f"{fill(line.text, char=inputs.char, user=inputs.user).strip()}"
                for line in example.lines
            )
            for example in shown
        ]
        joined = "\n\n---\n\n".join(talks)
        texts.append(f"# How {inputs.char} talks: examples\n\n{joined}")
        parts.extend(
            Part("example", example.path, talk) for example, talk in zip(shown, talks, strict=True)
        )
    return "\n\n".join(texts), parts


def turn_text(past: PastTurn) -> str:
    """The words of a turn."""
    message = [past.turn.message.text] if past.turn.message is not None else []
    return "\n\n".join([*message, *(reply.text for reply in past.turn.replies)])


def _talk(inputs: PromptInputs, sent: tuple[PastTurn, ...]) -> list[PromptMessage]:
    messages: list[PromptMessage] = []
    newest = sent[-1].id
    for past in sent:
        if past.turn.message is not None:
            text = past.turn.message.text
            if past.id == newest:
                text = _time_line(inputs) + text
            messages.append(PromptMessage("user", text))
        for reply in past.turn.replies:
            if reply.speaker == inputs.char:
                messages.append(PromptMessage("assistant", reply.text))
            else:
                messages.append(PromptMessage("user", f"{reply.speaker}: {reply.text}"))
    return messages


def _merge(messages: list[PromptMessage]) -> list[PromptMessage]:
    """Join neighbours of one role: several providers insist on alternation."""
    merged: list[PromptMessage] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            joined = f"{merged[-1].content}\n\n{message.content}"
            merged[-1] = replace(merged[-1], content=joined)
        else:
            merged.append(message)
    return merged


def _time_line(inputs: PromptInputs) -> str:
    if inputs.time == "off" or inputs.now is None:
        return ""
    now = inputs.now
    stamp = f"{_DAYS[now.weekday()]} {now.day} {_MONTHS[now.month - 1]} {now.year}"
    if inputs.time == "full":
        stamp += f", {now:%H:%M}"
    gap = _gap(now - inputs.last_talk) if inputs.last_talk is not None else ""
    return f"[{stamp}{gap}]\n"


def _gap(passed: timedelta) -> str:
    """How long since the last turn, in words; nothing below an hour."""
    hours = int(passed.total_seconds() // 3600)
    if hours < 1:
        return ""
    if hours < 24:
        return f"; last talked {hours} hour{'s' * (hours > 1)} ago"
    return f"; last talked {hours // 24} day{'s' * (hours >= 48)} ago"
