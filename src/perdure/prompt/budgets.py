"""How a model's window is shared out, in tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perdure.companion.config.settings import ContextPolicy

MOST_SENT = 64_000
"""Tokens of a prompt beyond which a larger window is left empty, unless companion.yaml says so.

Models attend less and less to the middle of longer prompts, and hosted ones charge for each token.
"""

MOST_EMPTY = 4_096
"""Tokens of earlier turns in what is empty: a quarter of the window, and no more than this.

They come after the conversation and are read anew with each message.
"""


@dataclass(frozen=True, slots=True)
class Budgets:
    """The most tokens that each part of a prompt may take; ``reply`` is kept free for the answer.

    Earlier turns have ``recall`` for themselves, and up to ``empty`` of what everything else leaves
    empty. Everything that was ever said is sent as turns if it fits into ``life``.
    """

    reply: int
    prompt: int
    examples: int
    lore: int
    facts: int
    summaries: int
    recall: int
    empty: int = 0
    life: int = MOST_SENT

    def within(self, left: int) -> Budgets:
        """The same budgets, scaled down evenly where they would take more than half of ``left``.

        Args:
            left: tokens that the persona and the newest message leave of the prompt.
        """
        parts = self.examples + self.lore + self.facts + self.summaries + self.recall
        most = max(0, left) // 2
        if parts <= most:
            return self
        return replace(
            self,
            examples=self.examples * most // parts,
            lore=self.lore * most // parts,
            facts=self.facts * most // parts,
            summaries=self.summaries * most // parts,
            recall=self.recall * most // parts,
        )


_SMALLEST = 4_000
# From which window on, and then: reply, examples, lore, facts, summaries, recall.
_ROWS = (
    (_SMALLEST, (512, 400, 400, 300, 300, 400)),
    (8_000, (768, 800, 800, 600, 600, 600)),
    (32_000, (1024, 1600, 2000, 1500, 2000, 1200)),
    (200_000, (2048, 4000, 6000, 4000, 6000, 3000)),
)


def budgets(window: int, policy: ContextPolicy, *, slow: bool = False) -> Budgets:
    """Share out a window of so many tokens, prompt and reply together.

    What ``companion.yaml`` says goes before the table; the reply takes half the window at the most.

    Args:
        window: tokens.
        policy: what ``companion.yaml`` says.
        slow: the model reads at a hundred tokens a second, as on a processor: what would be read
            anew with each message, or all at once, has no more than its own share.
    """
    row = next((row for least, row in reversed(_ROWS) if window >= least), _ROWS[0][1])
    scale = min(max(window, 0), _SMALLEST)
    reply, examples, lore, facts, summaries, recall = (each * scale // _SMALLEST for each in row)
    reply = min(policy.reply_tokens or max(16, reply), window // 2)
    quarter = window // 4
    prompt = min(policy.prompt_tokens or MOST_SENT, window - reply)
    return Budgets(
        reply=reply,
        prompt=prompt,
        examples=_said(policy.examples_tokens, examples),
        lore=_said(policy.lore_tokens, lore),
        facts=_said(policy.facts_tokens, facts),
        summaries=_said(policy.summaries_tokens, summaries),
        recall=_said(policy.recall_tokens, recall),
        empty=_said(policy.recall_tokens, max(recall, 0 if slow else min(quarter, MOST_EMPTY))),
        life=min(prompt, quarter) if slow else prompt,
    )


def _said(own: int | None, table: int) -> int:
    return table if own is None else own
