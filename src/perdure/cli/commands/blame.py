"""``perdure blame``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from perdure.cli.arguments import commit_of, path_of
from perdure.cli.completion import complete_files
from perdure.cli.errors import CommandProblem
from perdure.cli.render.output import as_json, print_line, show_lines, styled
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import open_repository, usual_options
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.views.blame import LineCause

_PLACE = re.compile(r"(.+?):(\d{1,9})(?:[-,](\d{1,9}))?")


@click.command("blame")
@click.argument("place", metavar="PATH[:LINE[-LINE]]", shell_complete=complete_files)
@click.option(
    "--at", metavar="REV|DATE", help="The file as it was then. [default: the last commit]"
)
@usual_options
def command(place: str, at: str | None) -> None:
    """Show who wrote each line of a file, in which commit, when, and after which turn.

    PATH is one of the companion's files, such as persona/20-voice.md; persona files may be named
    without their folder. Lines are followed through merges and renamed files.
    """
    from perdure.views.blame import blamed_lines

    repo = open_repository(lacking=True)
    if repo.head().commit is None and at is None:
        raise CommandProblem("there is no commit yet", next_step="Make a first commit")
    start = commit_of(repo, at or "HEAD")
    named = _PLACE.fullmatch(place)
    path = _found(repo, path_of(repo, named[1] if named else place), start)
    lines = blamed_lines(repo, start, path, IndexProgress())
    if named:
        first, last = int(named[2]), int(named[3] or named[2])
        if not 1 <= first <= last <= len(lines):
            raise CommandProblem(
                f"{path} has no line {first if first > len(lines) else last}",
                next_step=f"It has {plural(len(lines), 'line')}",
            )
        lines = lines[first - 1 : last]
    if as_json([line.to_dict() for line in lines]):
        return
    work = repo.work_tree()
    if at is None and work.stat(path) and not work.holds(path, repo.oid(path, start)):
        print_line(f"{path} has uncommitted edits, which are not shown here.", err=True)
    show_lines(_grouped(lines))


def _found(repo: Repository, path: str, start: str) -> str:
    """The path, or the persona file of that name. Raises CommandProblem."""
    for name in (path, f"persona/{path}", f"persona/{path}.md"):
        if repo.oid(name, start) is not None:
            return name
    raise CommandProblem(
        f"there is no file {path} in that commit", next_step="perdure persona show lists files"
    )


def _grouped(lines: Sequence[LineCause]) -> Iterator[str]:
    """Lines grouped by commit, each group below a line about it."""
    width = len(str(lines[-1].line.number)) if lines else 1
    for _, group in groupby(lines, key=lambda line: line.line.commit.id):
        run = list(group)
        info = run[0].line.commit
        turn = f"  after turn {run[0].turn}" if run[0].turn else ""
        yield (
            f"{styled(info.id[:8], 'yellow')}  {info.at:%Y-%m-%d %H:%M}  "
            f"{styled(info.author.name, dim=True)}  {styled(info.subject, 'cyan')}"
            f"{styled(turn, 'magenta')}"
        )
        for each in run:
            number = str(each.line.number).rjust(width + 2)
            yield f"{styled(number, dim=True)}  {styled(each.line.text)}"
