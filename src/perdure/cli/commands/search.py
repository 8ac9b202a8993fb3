"""``perdure search``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from perdure.cli.arguments import commit_of, date_bounds
from perdure.cli.errors import CommandProblem
from perdure.cli.render.output import as_json, print_line, show_lines, styled
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import open_repository, usual_options

if TYPE_CHECKING:
    from datetime import datetime

    from perdure.git.repository.repository import Repository
    from perdure.recall import RecallIndex
    from perdure.views.search import FoundTurn

_LINES = 3
"""Lines of one message that are shown at most."""
_WIDTH = 160
"""Characters of a line that are shown around what was found in it."""


@click.command("search")
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@click.option("-n", "limit", type=click.IntRange(1, 1000), default=10, help="At most this many.")
@click.option("--since", metavar="DATE", help="Only what was said since DATE.")
@click.option("--until", metavar="DATE", help="Only what was said up to the end of DATE.")
@click.option("--branch", metavar="NAME", help="Search another branch.")
@click.option("--at", "rev", metavar="REV|DATE", help="Search the history as it was then.")
@usual_options
def command(
    words: tuple[str, ...],
    limit: int,
    since: str | None,
    until: str | None,
    branch: str | None,
    rev: str | None,
) -> None:
    """Search the whole history for things that were said, best match first.

    This is the same search that chooses earlier turns for prompts. It finds words in any form,
    considers what was said just before and after, and understands dates such as "last summer" or
    "in March". It does not find turns that were set aside. Turns that match only through their
    neighbours are listed only with --json. The first search reads the whole history once, which
    takes a moment if it is long.

    A DATE is a day or a time, such as 2026-11-01, yesterday, "3 weeks ago".
    """
    from perdure.recall import RecallIndex
    from perdure.views.search import with_own_words

    text = " ".join(words)
    if not text.strip():
        raise CommandProblem("there is nothing to search for", next_step="Give some words")
    if branch and rev:
        raise CommandProblem("--branch and --at exclude each other", next_step="Give one of them")
    repo = open_repository()
    index = RecallIndex.open_usual(repo, needs_file=False)
    click.get_current_context().with_resource(index)
    dates = date_bounds(since, until)
    found: list[FoundTurn] = []
    if rev or branch or repo.head().commit is not None:
        found = _search(repo, commit_of(repo, rev or branch or "HEAD"), index, text, dates, limit)
    if as_json([_record(found_turn) for found_turn in found]):
        return
    if not found:
        print_line("nothing that was said has these words", err=not sys.stdout.isatty())
        return
    show_lines(list(_lines(with_own_words(found), index)))


def _search(
    repo: Repository,
    start: str,
    index: RecallIndex,
    text: str,
    dates: tuple[datetime | None, datetime | None],
    limit: int,
) -> list[FoundTurn]:
    """Update the index and search it; its notices go to stderr. Raises CommandProblem."""
    from perdure.companion.clock import now
    from perdure.views.search import search_turns

    index.update(start, IndexProgress("conversations", "files"))
    notice = index.notice
    since, until = dates
    found = search_turns(repo, start, index, text, now=now(), since=since, until=until, limit=limit)
    if index.is_partial and not found:
        raise CommandProblem(index.notice, next_step="Try again in a moment")
    for line in dict.fromkeys((notice, index.notice)):
        if line:
            print_line(f"{line}.", err=True)
    return found


def _lines(found: Sequence[FoundTurn], index: RecallIndex) -> Iterator[str]:
    for number, found_turn in enumerate(found):
        if number:
            yield ""
        turn = found_turn.hit.turn
        when = f"{found_turn.at:%Y-%m-%d %H:%M}" if found_turn.at else "no date"
        name = styled(f"{turn.conversation.hex}/{turn.number}", "yellow")
        yield f"{when}  {name}  {styled(found_turn.title, dim=True)}"
        for said in found_turn.said:
            for line in _shown(said.text, found_turn.hit.matched, index):
                yield f"  {styled(said.speaker, bold=True)}: {line}"


def _shown(text: str, matched: tuple[str, ...], index: RecallIndex) -> list[str]:
    """Lines with matches, marked; the first line if there is none."""
    shown = []
    for line in text.split("\n"):
        marks = index.marks(line, matched)
        if marks:
            shown.append(_marked(line, marks))
        if len(shown) == _LINES:
            break
    first = text.strip().split("\n")[0]
    return shown or [styled(_cut(first, 0), dim=True)]


def _marked(line: str, marks: Sequence[tuple[int, int]]) -> str:
    """A line around its first match. Without colour, asterisks mark it."""
    start = max(0, marks[0][0] - _WIDTH // 3)
    end = min(len(line), start + _WIDTH)
    pieces = ["… " * (start > 0)]
    at = start
    for begin, stop in marks:
        if stop > end:
            break
        pieces += [styled(line[at:begin]), styled(f"*{line[begin:stop]}*", "cyan", bold=True)]
        at = stop
    pieces += [styled(line[at:end]), " …" * (end < len(line))]
    return "".join(pieces)


def _cut(line: str, start: int) -> str:
    return line[start : start + _WIDTH] + " …" * (len(line) > start + _WIDTH)


def _record(found_turn: FoundTurn) -> dict[str, object]:
    return {
        "turn": str(found_turn.hit.turn),
        "score": found_turn.hit.score,
        "at": found_turn.at.isoformat() if found_turn.at else None,
        "title": found_turn.title,
        "path": found_turn.hit.path,
        "matched": list(found_turn.hit.matched),
        "messages": [
            {
                "speaker": each.speaker,
                "at": each.at.isoformat() if each.at else None,
                "text": each.text,
            }
            for each in found_turn.said
        ],
    }
