"""``perdure log``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from perdure.cli.arguments import commit_of, date_bounds, path_of, split_arguments
from perdure.cli.options import given
from perdure.cli.render.output import as_json, emit_json, show_lines, styled
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import open_repository, usual_options
from perdure.git.repository.repository import CommitInfo, Repository

if TYPE_CHECKING:
    from perdure.git.timeline.query import Listed, Query
    from perdure.snapshot.excluded import Excluded
    from perdure.views.persona_log import PersonaChange

_FOLDERS = {
    "turns": ("conversations",),
    "persona": ("persona",),
    "memory": ("memory", "lore"),
    "backend": ("backends", "backends.lock"),
}
_NOTHING = "Nothing in the history matches."
_USUAL = 30


@click.command("log")
@click.option("--turns", is_flag=True, help="Only changes to conversations.")
@click.option("--persona", is_flag=True, help="Only changes to the persona.")
@click.option("--memory", is_flag=True, help="Only changes to memory and lore.")
@click.option("--backend", is_flag=True, help="Only changes to backends.")
@click.option("--path", "more_paths", multiple=True, metavar="PATH", help="Only changes to PATH.")
@click.option("--since", metavar="DATE", help="Only commits since DATE.")
@click.option("--until", metavar="DATE", help="Only commits up to the end of DATE.")
@click.option("--author", default="", metavar="TEXT", help="Only authors whose name contains TEXT.")
@click.option("--grep", default="", metavar="TEXT", help="Only commit messages that contain TEXT.")
@click.option("--branch", metavar="REV", help="The history of another branch, tag, commit or date.")
@click.option(
    "-n",
    "limit",
    type=click.IntRange(min=1),
    help=f"At most this many. [default: {_USUAL}; all with --persona]",
)
@click.option("--skip", type=click.IntRange(min=0), default=0, help="Skip this many first.")
@click.option("--all", "everything", is_flag=True, help="All, without a limit.")
@click.argument("words", nargs=-1, metavar="[REV] [PATH]...")
@usual_options
def command(
    more_paths: tuple[str, ...],
    since: str | None,
    until: str | None,
    author: str,
    grep: str,
    branch: str | None,
    limit: int | None,
    skip: int,
    words: tuple[str, ...],
    *,
    everything: bool,
    **kinds: bool,
) -> None:
    """Show the history, newest first: turns, persona changes and everything else.

    With --persona, each change takes one line: when, by whom (you or her), words added and removed,
    the size of the whole persona after it, files, and tags. A merge is listed only if its result
    differs from every side that it joined.

    A DATE is a day or a time, such as 2026-11-01, "2026-11-01 14:30", yesterday, "last monday",
    "3 weeks ago". Case does not matter in TEXT.
    """
    repo = open_repository(lacking=True)
    if branch is None and repo.head().commit is None:
        if not as_json([]):
            _show_plain([], repo)
        return
    revisions, paths = split_arguments(repo, words, most=0 if branch else 1)
    start = commit_of(repo, branch) if branch else (revisions or [repo.resolve("HEAD")])[0]
    wanted = [kind for kind in _FOLDERS if kinds[kind]]
    only_persona = wanted == ["persona"]
    if limit is None and not everything and not only_persona:
        limit = _USUAL
    paths += tuple(path_of(repo, path) for path in more_paths)
    if not (wanted or paths or since or until or author or grep or given("--json")):
        _show_plain(repo.commits.log(rev=start, limit=limit, skip=skip), repo)
        return
    from perdure.git.timeline.query import Query

    folders = tuple(folder for kind in wanted for folder in _FOLDERS[kind])
    begin, end = date_bounds(since, until)
    query = Query(folders, paths, begin, end, author, grep, limit, skip)
    (_show_evolution if only_persona else _show_listing)(repo, start, query)


def _show_listing(repo: Repository, start: str, query: Query) -> None:
    listing = repo.timeline(IndexProgress()).listing(start, query)
    if given("--json"):
        emit_json([_listed_record(listed) for listed in listing])
    else:
        _show_plain((listed.commit for listed in listing), repo)


def _show_plain(commits: Iterable[CommitInfo], repo: Repository) -> None:
    ends = repo.commits.shallow_ends()
    lines = (
        _line(commit, excluded) + _end(commit, ends)
        for excluded in (_excluded(repo),)
        for commit in commits
    )
    show_lines(lines, _NOTHING)


def _end(commit: CommitInfo, ends: frozenset[str]) -> str:
    """A note on the oldest commit of a shallow clone, which stands for everything before it."""
    said = "  (earlier history is not here: git fetch --unshallow)"
    return styled(said, dim=True) if commit.id in ends else ""


def _excluded(repo: Repository) -> Excluded | None:
    """What is set aside, None where nothing is: most logs need not know how to read it."""
    from perdure.git.errors import TooManyFiles

    try:
        if repo.folder_oid("memory/aside") is None:
            return None
    except TooManyFiles:
        # The log goes on over files that nobody can look at, so that it shows who brought them.
        return None
    from perdure.snapshot.excluded import read_excluded

    return read_excluded(repo, None)


def _line(commit: CommitInfo, excluded: Excluded | None) -> str:
    who = styled(commit.author.name, dim=True)
    line = f"{_beginning(commit)}  {who}  "
    if excluded and any(key == "Turn" and excluded.names(it) for key, it in commit.trailers):
        return f"{line}{styled(f'{commit.subject}  (set aside)', dim=True)}"
    return f"{line}{_subject(commit.subject)}"


def _beginning(commit: CommitInfo) -> str:
    return f"{styled(commit.id[:8], 'yellow')}  {commit.at:%Y-%m-%d %H:%M}"


def _subject(subject: str) -> str:
    kind, separator, rest = subject.partition(": ")
    return f"{styled(kind, 'cyan')}{separator}{styled(rest)}" if separator else styled(kind)


def _record(commit: CommitInfo) -> dict[str, object]:
    return {
        "commit": commit.id,
        "at": commit.at.isoformat(),
        "author": commit.author.name,
        "email": commit.author.email,
        "subject": commit.subject,
        "trailers": dict(commit.trailers),
    }


def _listed_record(listed: Listed) -> dict[str, object]:
    return {
        **_record(listed.commit),
        "kind": listed.kind,
        "turn": listed.turn,
        "files": list(listed.files),
    }


def _show_evolution(repo: Repository, start: str, query: Query) -> None:
    from perdure.views.persona_log import COUNTER, persona_changes

    changes = persona_changes(repo, start, query, IndexProgress())
    if given("--json"):
        emit_json([_change_record(change, COUNTER) for change in changes])
    else:
        show_lines(_change_lines(changes, COUNTER, repo.commits.shallow_ends()), _NOTHING)


def _change_lines(
    changes: Iterator[PersonaChange], counter: str, ends: frozenset[str]
) -> Iterator[str]:
    for number, change in enumerate(changes):
        if not number:
            yield styled(
                f"Tokens: the whole persona after the change, counted by {counter}.", dim=True
            )
        info = change.listed.commit
        added, removed = change.listed.words
        who = f"{info.author.name} ({'her' if change.by_her else 'you'})"
        words = f"{styled(f'+{added}', 'green')} {styled(f'-{removed}', 'red')} words"
        names = "".join(f"  [{styled(name, 'magenta')}]" for name in change.tags)
        yield (
            f"{_beginning(info)}  {styled(who, dim=True)}  {words}  {change.tokens} tokens  "
            f"{styled(_some(change.files), bold=True)}  {_subject(info.subject)}{names}"
            f"{_end(info, ends)}"
        )


def _some(files: tuple[str, ...]) -> str:
    more = f" and {len(files) - 3} more" if len(files) > 4 else ""
    return ", ".join(files[:3] if more else files) + more


def _change_record(change: PersonaChange, counter: str) -> dict[str, object]:
    added, removed = change.listed.words
    return {
        **_listed_record(change.listed),
        "by": "her" if change.by_her else "you",
        "words_added": added,
        "words_removed": removed,
        "tokens": change.tokens,
        "counter": counter,
        "tags": list(change.tags),
    }
