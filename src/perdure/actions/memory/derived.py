"""What memory holds of some turns: the facts that they taught, and the summaries made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.companion.memory.aside import TurnRange
from perdure.git.repository.repository import Change, Repository
from perdure.snapshot.files import read_small


@dataclass(frozen=True, slots=True)
class Derived:
    """What was derived from turns, without what is already excluded.

    Attributes:
        facts: name and words of each fact that names one of the turns as its source.
        summaries: paths of the summaries that rest on one of them.
        exclusions: files that set the facts aside. A summary needs none: it is in no prompt while a
            turn that it rests on is set aside.
    """

    facts: tuple[tuple[str, str], ...] = ()
    summaries: tuple[str, ...] = ()
    exclusions: tuple[Change, ...] = ()

    def describe(self) -> list[str]:
        """One sentence a line."""
        lines = [f"A fact was learned there: “{words}”." for _, words in self.facts]
        return lines + [f"A summary was made of it: {path}." for path in self.summaries]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {"facts": [name for name, _ in self.facts], "summaries": list(self.summaries)}


NOTHING_DERIVED = Derived()


def derived_from(
    repo: Repository, tip: str, ranges: Sequence[TurnRange], reason: str = ""
) -> Derived:
    """Find in a commit's memory what was derived from some turns.

    Args:
        repo: the repository.
        tip: the commit's id.
        ranges: the turns.
        reason: written into the files that set facts aside.
    """
    if not ranges or repo.folder_oid("memory", tip) is None:
        return NOTHING_DERIVED
    from perdure.actions.memory.facts import plan_exclude_fact
    from perdure.companion.memory.summaries import is_made_from, read_summaries
    from perdure.snapshot.facts import read_known_facts

    known = read_known_facts(repo, tip)
    rows = [
        row
        for row in known.rows
        if not row.aside and row.fact.turn and any(row.fact.turn in one for one in ranges)
    ]
    out = [turns for _, aside in known.excluded.files for turns in aside.turns]
    files = {each.path: read_small(repo, each.oid) for each in repo.files("memory/summaries", tip)}
    summaries, _ = read_summaries(files)
    used = [each for each in summaries if not is_made_from(each, out)]
    return Derived(
        tuple((row.name, row.fact.text) for row in rows),
        tuple(each.path for each in used if is_made_from(each, ranges)),
        tuple(
            change
            for row in rows
            for change in plan_exclude_fact(known, row, reason=reason).changes
        ),
    )
