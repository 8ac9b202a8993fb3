"""Add earlier turns to the next prompt, and count what a whole prompt costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from perdure.backends.protocol import Tokenizer
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.prompt import v2, v3
from perdure.prompt.budgets import Budgets
from perdure.prompt.values import Choice, PromptInputs
from perdure.prompt.versions import Assemble, assemble

if TYPE_CHECKING:
    from perdure.companion.memory.aside import TurnRange

FRAME = 40
"""About what the two lines around a quoted block cost."""
_MOMENT = 8
"""About what the date over an earlier moment and the marks of its lines cost."""


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """A choice without recalled turns, and the tokens that are left for them."""

    choice: Choice
    recall: int


@dataclass(slots=True)
class WholePrompt:
    """Counts a whole prompt, as a backend would; ``counted`` is the last count."""

    inputs: PromptInputs
    tokenizer: Tokenizer
    budget: int
    rules: Assemble
    counted: int = 0

    def tokens(self, choice: Choice) -> int:
        messages = self.rules(self.inputs, choice).messages
        self.counted = self.tokenizer.count_prompt(messages)
        return self.counted

    def fits(self, choice: Choice) -> bool:
        return self.tokens(choice) <= self.budget


def add_recalled(
    inputs: PromptInputs,
    chosen: BaseChoice,
    found: Sequence[TurnId],
    *,
    budgets: Budgets,
    tokenizer: Tokenizer,
    rules: Assemble = assemble,
) -> Choice:
    """Add as many earlier turns to a choice as fit.

    Args:
        inputs: with the turns of ``found``, and those around them, in ``recalled``.
        chosen: what `choose` decided.
        found: earlier turns, the best first; those that are sent anyway are passed over.
        budgets: the same as for `choose`.
        tokenizer: the same.
        rules: the version of assembly.
    """
    check = WholePrompt(inputs, tokenizer, budgets.prompt, rules)
    sent = _sent(inputs, chosen.choice.window)
    there = {turn: said for turn, said in inputs.recalled.items() if turn not in sent}
    question = v2.question_of(inputs)
    shown = partial(v3.moment_lines, inputs)
    taken = fitting_turns(
        found, there, question, count=tokenizer.count, tokens=chosen.recall, shown=shown
    )
    while taken:
        choice = replace(chosen.choice, recalled=as_ranges(taken))
        if check.fits(choice):
            return choice
        taken.pop()
    return chosen.choice


def fitting_turns(
    found: Sequence[TurnId],
    there: Mapping[TurnId, Turn],
    question: str,
    *,
    count: Callable[[str], int],
    tokens: int,
    shown: v2.ShownMoment = v2.moment_lines,
) -> list[TurnId]:
    """The earlier turns that fit.

    What was found comes first, the best first, as long as it fits; what is left goes to the turns
    around it.

    Args:
        found: earlier turns, the best first.
        there: their texts, and those of the turns around them.
        question: the newest message.
        count: tokens of a text.
        tokens: how many they may take, with the lines that frame them.
        shown: the lines of an earlier turn.
    """
    taken: list[TurnId] = []
    left = tokens - FRAME
    for turn in [*found, *(near for each in found for near in _around(each, found))]:
        if turn in taken or turn not in there:
            continue
        cost = count("\n".join(shown(there[turn], question))) + _MOMENT
        if cost <= left:
            taken.append(turn)
            left -= cost
    return taken


def _around(turn: TurnId, found: Sequence[TurnId]) -> list[TurnId]:
    """The turns before and after one."""
    near = [TurnId(turn.conversation, turn.number + step) for step in (-1, 1) if turn.number + step]
    return [each for each in near if each not in found]


def as_ranges(turns: Iterable[TurnId]) -> tuple[TurnRange, ...]:
    """Turns as ranges, oldest first; neighbours are joined."""
    from perdure.companion.memory.aside import TurnRange

    ranges: list[TurnRange] = []
    for turn in sorted(set(turns)):
        last = ranges[-1] if ranges else None
        if last and last.conversation == turn.conversation and last.last + 1 == turn.number:
            ranges[-1] = replace(last, last=turn.number)
        else:
            ranges.append(TurnRange(turn.conversation, turn.number, turn.number))
    return tuple(ranges)


def _sent(inputs: PromptInputs, window: TurnId) -> set[TurnId]:
    ids = [past.id for past in inputs.turns]
    return set(ids[ids.index(window) :])
