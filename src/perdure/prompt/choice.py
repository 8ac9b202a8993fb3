"""Decide what goes into the next prompt, once, by counting tokens; the choice is recorded.

Pure functions; the same inputs, budgets and counts give the same choice. Each text is counted once,
the whole prompt when everything is decided: a count may be a call to a model's server.

Sample dialogues are trimmed first, then the oldest turns. Recalled turns, summaries, lore and facts
have their own budgets, and never together more than half of what the persona leaves, so the turns
always has the other half. Never trimmed are the persona and the newest message.

The front of a prompt stays the same as long as it can, so that servers reuse what they have read:
the previous window is kept while it fits, and when turns must go, they go down to three quarters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perdure.backends.protocol import PromptMessage, Tokenizer
from perdure.backends.tokens.estimate import PER_MESSAGE, EstimateTokenizer
from perdure.companion.config.settings import LorePolicy
from perdure.companion.ids import ConversationId, TurnId
from perdure.prompt import v2, v3
from perdure.prompt.budgets import Budgets
from perdure.prompt.errors import PersonaTooLarge
from perdure.prompt.recalled import FRAME, BaseChoice, WholePrompt
from perdure.prompt.values import Choice, PromptInputs
from perdure.prompt.versions import Assemble, assemble

if TYPE_CHECKING:
    from perdure.companion.memory.lore import LoreEntry
    from perdure.prompt.lore import LoreScan

MOST_TURNS = 300
"""The most turns of a window, however many would fit: the thread is read only so far back."""
_TRIES = 4
_DEFAULTS = LorePolicy()
_LETTERS_A_TOKEN = 40
"""No vocabulary has words this long: a text with more letters per token does not fit."""
_SAMPLE = 50_000


@dataclass(slots=True)
class TokenCosts:
    """Counts tokens, each text once; absurdly long texts are estimated."""

    tokenizer: Tokenizer
    room: int
    _known: dict[str, int] = field(default_factory=dict)

    def text(self, text: str) -> int:
        """Tokens of a text on its own."""
        known = self._known.get(text)
        if known is None:
            known = self._count(text) if text else 0
            self._known[text] = known
        return known

    def _count(self, text: str) -> int:
        if len(text) <= self.room * _LETTERS_A_TOKEN + _SAMPLE:
            return self.tokenizer.count(text)
        part = EstimateTokenizer().count(text[:_SAMPLE])
        return part * len(text) // _SAMPLE

    def messages(self, messages: Iterable[PromptMessage]) -> int:
        """Roughly what several messages cost together."""
        return sum(self.text(each.content) + PER_MESSAGE for each in messages)


def choose(
    inputs: PromptInputs,
    *,
    budgets: Budgets,
    tokenizer: Tokenizer,
    previous: Choice | None = None,
    policy: LorePolicy = _DEFAULTS,
    recall: bool = False,
    rules: Assemble = assemble,
) -> BaseChoice:
    """Choose what fits into a prompt of ``budgets.prompt`` tokens.

    Args:
        inputs: what there is.
        budgets: what each part may take.
        tokenizer: counts for the backend that is asked.
        previous: the choice for the turn before, of the same backend.
        policy: when lore is triggered.
        recall: keep room for recalled turns, to be filled by `add_recalled`.
        rules: the version of assembly.

    Raises:
        PersonaTooLarge: not even the persona and the newest message fit.
    """
    costs = TokenCosts(tokenizer, budgets.prompt)
    newest = Choice(inputs.turns[-1].id, 0, facts=0)
    least = rules(inputs, newest)
    fixed = costs.messages(least.messages)
    check = WholePrompt(inputs, tokenizer, budgets.prompt, rules)
    if fixed > budgets.prompt and (fixed > 4 * budgets.prompt or not check.fits(newest)):
        raise _too_large(inputs, costs, max(fixed, check.counted), budgets.prompt)
    room = budgets.prompt
    lore = lore_now(inputs, policy) if inputs.lore else None
    for _ in range(_TRIES):
        shares = budgets.within(room - fixed)
        chosen = _Room(inputs, costs, shares, room - fixed, previous, lore).choose(recall=recall)
        spare = budgets.prompt - check.tokens(chosen.choice)
        if spare >= chosen.recall // 2:
            most = max(chosen.recall, budgets.empty) if recall else 0
            return replace(chosen, recall=min(most, spare))
        over = chosen.recall - spare
        room -= over + over // 8 + 4
    if not check.fits(newest):
        raise _too_large(inputs, costs, check.counted, budgets.prompt)
    return BaseChoice(newest, 0)


def _too_large(
    inputs: PromptInputs, costs: TokenCosts, needed: int, budget: int
) -> PersonaTooLarge:
    files = sorted(
        ((costs.text(each.text), each.path) for each in inputs.persona.files), reverse=True
    )
    persona = sum(tokens for tokens, _ in files)
    message = inputs.turns[-1].turn.message
    largest = f" ({files[0][1]} alone {files[0][0]:,})" if files else ""
    said = costs.text(message.text) if message is not None else 0
    return PersonaTooLarge(
        f"the persona and your message need {needed:,} tokens, the window has room for "
        f"{budget:,}: the persona {persona:,}{largest}, your message {said:,}",
        kept="Nothing was cut",
        next_step="Shorten what is too long, or use a backend with a larger context window",
    )


@dataclass(slots=True)
class _Room:
    """One attempt to fill the room that persona and newest message leave."""

    inputs: PromptInputs
    costs: TokenCosts
    shares: Budgets
    left: int
    previous: Choice | None
    scanned: LoreScan | None

    def choose(self, *, recall: bool) -> BaseChoice:
        kept = self._kept_window()
        facts = self._facts()
        kept_free = self.shares.recall if recall else 0
        lore = self._lore(stay=kept is not None)
        summaries = self._summary_costs()
        others = kept_free + self._cost_of_facts(facts) + sum(map(self._cost_of_entry, lore))
        reserve = min(self.shares.summaries, sum(summaries.values()))
        window, examples = self._window(kept, self.left - others - reserve)
        if kept is not None and window != kept:
            # The front changes anyway, so what stayed only for its sake goes.
            lore = self._lore(stay=False)
        sent = tuple(entry.path for entry in lore)
        timed_out = self.scanned.timed_out if self.scanned is not None else ()
        choice = Choice(
            window,
            examples,
            lore=sent,
            facts=None if facts == len(self.inputs.facts) else facts,
            summaries=self._summaries(window, kept, summaries),
            lore_timed_out=tuple(path for path in timed_out if path not in sent),
        )
        return BaseChoice(choice, kept_free)

    # The turns

    def _kept_window(self) -> TurnId | None:
        """The previous turn's window, if the thread still has it."""
        if self.previous is None:
            return None
        known = any(past.id == self.previous.window for past in self.inputs.turns)
        return self.previous.window if known else None

    def _window(self, kept: TurnId | None, room: int) -> tuple[TurnId, int]:
        """The first turn to send, and how many examples."""
        ids = [past.id for past in self.inputs.turns]
        sizes = self._sizes(room)
        first = ids.index(kept) if kept is not None else 0
        few = len(ids) - first < MOST_TURNS // 2 and sum(sizes[first:]) < room // 2
        if kept is not None and first and few:
            # The window has become much larger, or the thread much shorter: nothing is worth
            # keeping.
            first = 0
        spent = sum(sizes[first:])
        most = self._examples()
        if len(ids) - first <= MOST_TURNS:
            while most and spent + self._example_cost(most) > room:
                most -= 1
            if spent + self._example_cost(most) <= room:
                return ids[first], most
        return ids[self._later(sizes, first, room * 3 // 4)], 0

    def _sizes(self, room: int) -> list[int]:
        """The tokens of each turn but the newest; those that cannot fit are not counted singly."""
        sizes: list[int] = []
        total = 0
        for past in reversed(self.inputs.turns[:-1]):
            size = room + 1
            if total <= 2 * room and len(sizes) <= MOST_TURNS:
                said = v3.said(self.inputs, past.turn)
                size = self.costs.messages(said)
            total += size
            sizes.append(size)
        return [*reversed(sizes), 0]

    @staticmethod
    def _later(sizes: Sequence[int], first: int, target: int) -> int:
        """The earliest turn from which everything fits into the target."""
        spent, place = 0, len(sizes) - 1
        least = max(first, len(sizes) - MOST_TURNS * 3 // 4)
        while place > least and spent + sizes[place - 1] <= target:
            place -= 1
            spent += sizes[place]
        return place

    def _examples(self) -> int:
        """How many examples fit into their own budget."""
        shown = len(self.inputs.persona.examples)
        if self.previous is not None:
            shown = min(shown, self.previous.examples)
        while shown and self._example_cost(shown) > self.shares.examples:
            shown -= 1
        return shown

    def _example_cost(self, shown: int) -> int:
        talks = self.inputs.persona.examples[:shown]
        texts = [v2.example_text(self.inputs, talk.lines) for talk in talks]
        return sum(map(self.costs.text, texts)) + 3 * shown + (9 if shown else 0)

    # Memory

    def _facts(self) -> int:
        """How many facts fit, best first."""
        used = 0
        for place, fact in enumerate(self.inputs.facts):
            used += self._cost_of_line(fact.text)
            if used > self.shares.facts:
                return place
        return len(self.inputs.facts)

    def _cost_of_facts(self, shown: int) -> int:
        lines = sum(self._cost_of_line(fact.text) for fact in self.inputs.facts[:shown])
        return lines + (FRAME if shown or self.inputs.summaries else 0)

    def _cost_of_line(self, text: str) -> int:
        return self.costs.text(text) + 4

    def _summary_costs(self) -> dict[ConversationId, int]:
        return {
            each.conversation: self.costs.text(each.text) + each.text.count("\n") + 12
            for each in self.inputs.summaries
        }

    def _summaries(
        self, window: TurnId, kept: TurnId | None, costs: dict[ConversationId, int]
    ) -> tuple[ConversationId, ...]:
        """The newest summaries that fit; none of a conversation that is sent from its start."""
        whole = self._sent_whole(window)
        if self.previous is not None and kept == window:
            stay = [each for each in self.previous.summaries if each in costs]
            if stay and sum(costs[each] for each in stay) <= self.shares.summaries:
                return tuple(stay)
        taken, used = [], 0
        for each in self.inputs.summaries:
            cost = costs[each.conversation]
            if each.conversation not in whole and used + cost <= self.shares.summaries:
                taken.append(each.conversation)
                used += cost
        return tuple(sorted(taken))

    def _sent_whole(self, window: TurnId) -> set[ConversationId]:
        ids = [past.id for past in self.inputs.turns]
        sent = ids[ids.index(window) :]
        left = {each.conversation for each in ids[: ids.index(window)]}
        return {each.conversation for each in sent} - left

    # Lore

    def _lore(self, *, stay: bool) -> list[LoreEntry]:
        """The entries that fit, in their order."""
        if self.scanned is None:
            return []
        from perdure.prompt.lore import Triggered, fit_lore  # only for companions that have lore

        found = {each.entry.path: each for each in self.scanned.triggered}
        if stay and self.previous is not None:
            before = set(self.previous.lore)
            for entry in self.inputs.lore:
                if entry.path in before and entry.enabled and not isinstance(entry.position, int):
                    found.setdefault(entry.path, Triggered(entry))
        in_order = sorted(found.values(), key=lambda each: (each.entry.order, each.entry.path))
        kept, _ = fit_lore(in_order, self._cost_of_entry, self.shares.lore)
        return [each.entry for each in kept]

    def _cost_of_entry(self, entry: LoreEntry) -> int:
        return self.costs.text(entry.text) + 4


def lore_now(inputs: PromptInputs, policy: LorePolicy, without: Collection[str] = ()) -> LoreScan:
    """The lore that the conversation brings in, and by which key. ``without`` is as in `scan`."""
    from perdure.prompt.lore import scan

    return scan(
        inputs.lore,
        recent_texts(inputs),
        depth=policy.scan_depth,
        char=inputs.char,
        user=inputs.user,
        draw=str(inputs.turns[-1].id) if policy.probability else None,
        without=without,
    )


def recent_texts(inputs: PromptInputs, most: int = 200) -> tuple[str, ...]:
    """The texts of the last messages and replies that lore is looked for in, the newest last."""
    texts: list[str] = []
    for past in inputs.turns[-most:]:
        if past.turn.message is not None:
            texts.append(past.turn.message.text)
        texts += [reply.text for reply in past.turn.replies]
    return tuple(texts)
