"""The rows of the memory browser: topics, facts, proposals, summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

from rich.text import Text

from perdure.actions.memory.review import ReviewItem
from perdure.companion.ids import TurnId
from perdure.companion.memory.facts import Fact
from perdure.companion.memory.summaries import Summary
from perdure.snapshot.facts import FactRow
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.views.memory import MemoryView

MemoryRow = ReviewItem | FactRow | Summary
REVIEW, ASIDE, SUMMARIES = "Review", "Set aside", "Summaries"
_TRUST = {"user": "yours", "companion": "hers", "imported": "imported"}
_TRUST_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Topic:
    """A list of the browser. ``fact_topic`` names the file of facts; "" where it is none."""

    label: str
    rows: tuple[MemoryRow, ...]
    fact_topic: str = ""

    @property
    def key(self) -> str:
        """What it is known by when all was read again."""
        return f"topic:{self.fact_topic}" if self.fact_topic else self.label


def topics_of(look: MemoryView, words: str = "") -> list[Topic]:
    """The lists, those of facts in between; ``words`` narrow every one of them."""
    facts = [row for row in look.known.rows if not row.aside]
    aside = [row for row in look.known.rows if row.aside]
    by_topic = groupby(facts, key=lambda row: row.fact.topic)
    found = [
        Topic(REVIEW, tuple(look.review.rows)),
        *(Topic(one_row(name), tuple(rows), name) for name, rows in by_topic),
        Topic(ASIDE, tuple(aside)),
        Topic(SUMMARIES, look.summaries),
    ]
    wanted = words.casefold()
    return [
        replace(each, rows=tuple(row for row in each.rows if wanted in text_of(row).casefold()))
        for each in found
    ]


def text_of(row: MemoryRow) -> str:
    """The words that a row is about."""
    if isinstance(row, FactRow):
        return row.fact.text
    if isinstance(row, Summary):
        return row.text
    return row.proposal.text or row.proposal.instead_of


def key_of(row: MemoryRow) -> tuple[str, ...]:
    """What a row is known by when all was read again."""
    if isinstance(row, FactRow):
        return fact_key(row.fact)
    return (row.path if isinstance(row, Summary) else row.id,)


def fact_key(fact: Fact) -> tuple[str, ...]:
    """The key of a fact's row."""
    return (fact.topic, fact.text, str(fact.source))


def source_of(row: MemoryRow) -> TurnId | None:
    """The turn that a row came from; of a summary, the last one that it covers."""
    if isinstance(row, FactRow):
        return row.fact.turn
    if isinstance(row, Summary):
        return TurnId(row.conversation, row.through)
    return TurnId.read(row.proposal.source)


def fact_row(row: FactRow, *, year: int, topic: bool = False) -> Text:
    """One fact: date, trust, marks, words. ``topic``: with its topic."""
    fact = row.fact
    line = _when(fact.turn, year)
    line.append(f"{_TRUST[fact.trust]:<{_TRUST_WIDTH}} ", "dim")
    line.append("* " if fact.pinned else "  ", "bold")
    if row.held:
        line.append("[held] ", "bold")
    if topic:
        line.append(f"{one_row(fact.topic)}: ", "dim")
    return line.append(one_row(fact.text), "dim" if row.held or row.aside else "")


def waiting_row(row: ReviewItem, glyphs: Glyphs, *, year: int) -> Text:
    """One thing that waits: what it would do, and where."""
    proposal = row.proposal
    line = _when(source_of(row), year)
    kind = "held" if row.held else proposal.kind
    line.append(f"{kind:<{_TRUST_WIDTH}} ", "bold")
    sign = glyphs.warning if row.is_order or row.against else " "
    line.append(f"{sign} ", "bold")
    if proposal.topic:
        line.append(f"{one_row(proposal.topic)}: ", "dim")
    return line.append(one_row(text_of(row)))


def summary_row(row: Summary, *, year: int) -> Text:
    """One summary: of which day, how it came about, its first words."""
    line = _when(TurnId(row.conversation, row.through), year)
    line.append(f"{how(row):<{_TRUST_WIDTH}} ", "dim")
    return line.append(one_row(row.text)[:200])


def how(row: Summary) -> str:
    """How a summary came about."""
    return "by hand" if row.by_hand else "cut" if row.extractive else "model"


def rows_text(topic: Topic, glyphs: Glyphs, *, year: int) -> list[Text]:
    """All rows of a list."""
    texts = []
    for row in topic.rows:
        if isinstance(row, FactRow):
            texts.append(fact_row(row, year=year, topic=not topic.fact_topic))
        elif isinstance(row, Summary):
            texts.append(summary_row(row, year=year))
        else:
            texts.append(waiting_row(row, glyphs, year=year))
    return texts


def topics_head(topics: Sequence[Topic], chosen: int, width: int) -> Text:
    """The lists on one row, the chosen one always in it."""
    begin = 0
    while True:
        text = Text(" " if not begin else "< ")
        ends = 0
        for at, each in enumerate(topics[begin:], begin):
            label = f"{each.label} {len(each.rows)}"
            text.append(f"[{label}]" if at == chosen else f" {label} ", _style(each, at == chosen))
            text.append(" ")
            if at == chosen:
                ends = text.cell_len
        if ends <= width or begin >= chosen:
            return text
        begin += 1


def topic_row(each: Topic) -> Text:
    """One list in the left pane."""
    return (
        Text()
        .append(f"{len(each.rows):>5,}  ", "dim")
        .append(each.label, _style(each, chosen=False))
    )


def _style(each: Topic, chosen: bool) -> str:  # noqa: FBT001 - one of two looks
    if chosen or (each.label == REVIEW and each.rows):
        return "not dim bold"
    return "not dim" if each.fact_topic else "dim"


def _when(turn: TurnId | None, year: int) -> Text:
    if turn is None:
        return Text(f"{'':>8}  ")
    day: date = turn.conversation.day
    said = f"{day.day} {day:%b}" if day.year == year else f"{day:%b %Y}"
    return Text().append(f"{said:>8}  ", "dim")
