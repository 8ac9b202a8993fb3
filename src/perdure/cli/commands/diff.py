"""``perdure diff``."""

from __future__ import annotations

import click

from perdure.cli.arguments import split_arguments
from perdure.cli.errors import CommandProblem
from perdure.cli.options import given
from perdure.cli.render.output import emit_json, show_lines
from perdure.cli.target import open_repository, usual_options


@click.command("diff")
@click.argument("what", nargs=-1, metavar="[A] [B] [PATH]...")
@click.option(
    "--words/--lines", default=True, help="Compare words, or whole lines. [default: words]"
)
@click.option("--work", is_flag=True, help="Compare A with the files in the folder.")
@usual_options
def command(what: tuple[str, ...], *, words: bool, work: bool) -> None:
    """Show what changed between two revisions, word by word.

    Without A: the files in the folder against the last commit. With A: A against the last commit.
    With A and B: A against B.

    A and B are branches, tags, commits, turns, or dates such as 2026-11-01 or "3 weeks ago".
    Removed words are red, added ones green; without colours [-removed-] and {+added+}.
    """
    from perdure.cli.render.diff import difference_lines, difference_records
    from perdure.snapshot.revisions.diff import changes_between

    repo = open_repository(lacking=True)
    if repo.head().commit is None:
        raise CommandProblem("there is nothing to compare yet", next_step="Make a first commit")
    revisions, paths = split_arguments(repo, what, most=1 if work else 2)
    head = repo.resolve("HEAD")
    if work or not revisions:
        changes = changes_between(repo, (revisions or [head])[0], None, paths)
    else:
        changes = changes_between(repo, revisions[0], (revisions[1:] or [head])[0], paths)
    if given("--json"):
        emit_json(difference_records(changes))
    else:
        show_lines(difference_lines(changes, words=words), "Nothing differs.")
