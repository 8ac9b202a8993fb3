"""``perdure memory list``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from perdure.cli.options import given
from perdure.cli.render.memory import print_uncommitted, show_beside
from perdure.cli.render.output import as_json, emit_json, print_line, print_styled, styled
from perdure.cli.target import open_repository, usual_options

if TYPE_CHECKING:
    from perdure.snapshot.facts import FactRow, KnownFacts


@click.command("list")
@click.argument("topic", required=False)
@click.option("-n", "limit", type=click.IntRange(min=1), help="At most this many facts.")
@click.option(
    "--beside", is_flag=True, help="Only pairs of facts that contradict each other or say the same."
)
@usual_options
def list_facts(topic: str | None, limit: int | None, *, beside: bool) -> None:
    """List what she knows, by topic: each fact with its name and its source.

    \b
    a turn's id   the turn that taught it; it begins with the day
    user          your own words; before those that she noted herself
    imported      from elsewhere; after all others
    pinned        before all others
    held          imported, and reads like an instruction: out of prompts until you review it
    set aside     kept, but out of prompts
    """  # noqa: D301 - click's own mark for lines that stay as they are
    from perdure.snapshot.facts import read_known_facts

    repo = open_repository()
    known = read_known_facts(repo, repo.resolve("HEAD"))
    print_uncommitted(repo)
    rows = [*known.rows]
    if topic is not None:
        wanted = known.topic(topic)
        rows = [row for row in rows if row.fact.topic == wanted]
    if beside:
        _list_pairs(known, rows, limit)
        return
    shown = rows[:limit]
    if given("--json"):
        troubles = [str(trouble) for trouble in known.troubles]
        emit_json({"facts": [row.to_dict() for row in shown], "troubles": troubles})
        return
    _show(shown, known)
    if len(shown) < len(rows):
        print_line(f"and {len(rows) - len(shown)} more")
    if not rows:
        print_line(
            "She knows no facts yet." if topic is None else f"She knows nothing about {topic!r}."
        )


def _list_pairs(known: KnownFacts, rows: Sequence[FactRow], limit: int | None) -> None:
    """The pairs that involve any of ``rows``."""
    found = [pair for pair in known.pairs() if pair[0] in rows or pair[1] in rows][:limit]
    if as_json(
        [{"kind": kind, "facts": [one.to_dict(), other.to_dict()]} for one, other, kind in found]
    ):
        return
    for one, other, kind in found:
        print_styled(styled(f"{one.name}", "yellow"), styled(f"  {one.fact.text}  "), _where(one))
        show_beside(*((), [other]) if kind == "against" else ([other], ()))
    if not found:
        print_line("No two facts contradict each other or say the same, going by their words.")


def _where(row: FactRow) -> str:
    return styled(" ".join(part for part in (row.day, row.fact.trust) if part), dim=True)


def _show(rows: list[FactRow], known: KnownFacts) -> None:
    for topic, group in groupby(rows, key=lambda row: row.fact.topic):
        print_styled(styled(topic, bold=True))
        for row in group:
            fact = row.fact
            where = fact.source or "no source"
            marks = [
                *(["pinned"] if fact.pinned else []),
                *([fact.trust] if fact.trust != "companion" else []),
            ]
            out = [*(["held"] if row.held else []), *(["set aside"] if row.aside else [])]
            print_styled(
                styled(f"  {row.name}", "yellow"),
                styled(f"  {fact.text}", dim=bool(out)),
                styled(f"  {where}", dim=True),
                styled(f"  {', '.join(marks)}" if marks else "", "cyan"),
                styled(f"  {', '.join(out)}" if out else "", "red"),
            )
    for trouble in known.troubles:
        print_line(str(trouble), err=True)
    if any(row.held and not row.aside for row in rows):
        print_line(
            "Facts on hold are in no prompt. Accept or reject them: perdure memory review", err=True
        )
