"""Facts as of a commit, each under the name that people call it by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from perdure.companion.errors import FileTrouble
from perdure.companion.memory.facts import FACTS_FOLDER, Fact, read_facts, topic_name
from perdure.companion.names import slug
from perdure.git.repository.repository import Repository
from perdure.memory.ranking import ExcludedFacts, is_held
from perdure.memory.similarity import Kind, contradictions, near_duplicates, pairs
from perdure.snapshot.errors import UnknownFact
from perdure.snapshot.excluded import Excluded, read_excluded
from perdure.snapshot.files import files_below

_NAME = re.compile(r"(.+):(\d{1,6})")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact with its number and state.

    Attributes:
        fact: the fact.
        number: its place among the facts of its topic, from 1.
        held: it came from elsewhere and looks like an instruction: out of prompts until reviewed.
        aside: it is set aside: out of prompts until brought back.
    """

    fact: Fact
    number: int
    held: bool = False
    aside: bool = False

    @property
    def name(self) -> str:
        """What the fact is called: ``people:3``."""
        return f"{self.fact.topic}:{self.number}"

    @property
    def day(self) -> str:
        """The day on which the conversation began that taught it; "" without one."""
        turn = self.fact.turn
        return turn.conversation.day.isoformat() if turn else ""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        fact = self.fact
        return {
            "name": self.name,
            "topic": fact.topic,
            "number": self.number,
            "text": fact.text,
            "source": fact.source or None,
            "date": self.day or None,
            "trust": fact.trust,
            "pinned": fact.pinned,
            "reviewed": fact.reviewed,
            "held": self.held,
            "aside": self.aside,
            "path": fact.path,
            "line": fact.line,
        }


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """All facts as of a commit.

    Attributes:
        rows: every fact, by topic and line.
        troubles: what could not be read, with file and line.
        excluded: what is set aside.
        tip: the commit.
    """

    rows: tuple[FactRow, ...]
    troubles: tuple[FileTrouble, ...]
    excluded: Excluded
    tip: str

    def find(self, name: str) -> FactRow:
        """Find a fact by its name, ``people:3``, or by words that only one fact has.

        Raises:
            UnknownFact: none is, or several are.
        """
        numbered = _NAME.fullmatch(name.strip())
        if numbered:
            wanted = (self.topic(numbered[1]), int(numbered[2]))
            for row in self.rows:
                if (row.fact.topic, row.number) == wanted:
                    return row
        found = self._with_words(name)
        if len(found) == 1:
            return found[0]
        if not found:
            raise UnknownFact(
                f"no fact is called {name!r}, and none contains those words",
                kept="nothing was changed",
                next_step="perdure memory list shows them, each with its name",
            )
        shown = "; ".join(f"{row.name} “{row.fact.text}”" for row in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UnknownFact(
            f"{len(found)} facts contain the words {name!r}: {shown}{more}",
            kept="nothing was changed",
            next_step="give the name of one of them",
        )

    def _with_words(self, words: str) -> list[FactRow]:
        wanted = " ".join(words.casefold().split())
        texts = [(row, " ".join(row.fact.text.casefold().split())) for row in self.rows]
        exact = [row for row, text in texts if text == wanted]
        return exact or [row for row, text in texts if wanted and wanted in text]

    def topic(self, name: str) -> str:
        """The topic of that name: an existing one, else a new one. Raises BadFact."""
        made = topic_name(name)
        there = list(dict.fromkeys(row.fact.topic for row in self.rows))
        given = name.strip().removesuffix(".md")
        if given in there:
            return given
        return next((each for each in there if slug(each) == made), made)

    def same(self, topic: str, text: str) -> FactRow | None:
        """The fact of a topic with exactly these words."""
        said = (topic, text)
        return next((row for row in self.rows if (row.fact.topic, row.fact.text) == said), None)

    def like(self, text: str, but: Iterable[FactRow | None] = ()) -> tuple[FactRow, ...]:
        """Facts that say nearly the same."""
        return self._of(near_duplicates(text, self._others(but)))

    def against(self, text: str, but: Iterable[FactRow | None] = ()) -> tuple[FactRow, ...]:
        """Facts that contradict it, as far as words show."""
        return self._of(contradictions(text, self._others(but)))

    def pairs(self) -> list[tuple[FactRow, FactRow, Kind]]:
        """All pairs that say the same or contradict each other, without excluded facts."""
        rows = {row.fact: row for row in self.rows if not row.aside}
        return [(rows[one], rows[other], kind) for one, other, kind in pairs(rows)]

    def _others(self, but: Iterable[FactRow | None]) -> list[Fact]:
        left_out = {row.name for row in but if row is not None}
        return [row.fact for row in self.rows if row.name not in left_out]

    def _of(self, facts: tuple[Fact, ...]) -> tuple[FactRow, ...]:
        return tuple(row for row in self.rows if row.fact in facts)


def read_known_facts(repo: Repository, rev: str) -> KnownFacts:
    """Read all facts as of a commit (an id). Raises HistoryError where the tree cannot be read."""
    files = files_below(repo, FACTS_FOLDER, rev)
    facts, troubles = read_facts(files)
    excluded = read_excluded(repo, rev)
    out = ExcludedFacts(excluded.facts)
    rows = [
        FactRow(fact, number, is_held(fact), fact in out)
        for _, group in groupby(facts, key=lambda fact: fact.path)
        for number, fact in enumerate(group, 1)
    ]
    return KnownFacts(tuple(rows), troubles, excluded, rev)
