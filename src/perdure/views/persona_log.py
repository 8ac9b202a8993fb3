"""How a persona evolved: one line for each change, with author, words, tokens and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.companion.names import companion_email, slug
from perdure.git.repository.repository import Author, Repository
from perdure.git.timeline.query import Listed, Query
from perdure.progress import Progress
from perdure.snapshot.companion import her_names
from perdure.snapshot.files import files_below

COUNTER = "estimate"
"""Counts alike on every machine and for every model, so that sizes can be compared over years."""
_PAGE = 200


@dataclass(frozen=True, slots=True)
class PersonaChange:
    """One change of the persona.

    Attributes:
        listed: the commit, its files, and how many words it added and removed.
        by_her: whether she made it herself.
        tokens: size of the whole persona after it, as `COUNTER` counts.
        tags: tags on it.
    """

    listed: Listed
    by_her: bool
    tokens: int
    tags: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files that changed, without their folder."""
        return tuple(
            path.removeprefix("persona/")
            for path in self.listed.files
            if path.startswith("persona/")
        )


def persona_changes(
    repo: Repository, start: str, query: Query, progress: Progress | None = None
) -> Iterator[PersonaChange]:
    """List the changes of the persona, newest first.

    Args:
        repo: the repository.
        start: id of the commit whose history is meant.
        query: which of them; its folders are persona/.
        progress: called while an index of the history is made.
    """
    timeline = repo.timeline(progress)
    found = timeline.listing(start, query)
    tagged: dict[str, list[str]] = {}
    for name, commit in repo.tags().items():
        tagged.setdefault(commit, []).append(name)
    hers = _her_marks(repo, start)
    while page := list(islice(found, _PAGE)):
        trees = {listed.commit.id: _persona_tree(repo, listed.commit.id) for listed in page}
        wanted = {tree: commit for commit, tree in trees.items() if tree}

        def count(tree: str, wanted: dict[str, str] = wanted) -> int:
            return _tokens(repo, wanted[tree])

        sizes = timeline.sizes(start, COUNTER, list(wanted), count)
        for listed in page:
            yield PersonaChange(
                listed,
                hers(listed.commit.author),
                sizes.get(trees[listed.commit.id] or "", 0),
                tuple(tagged.get(listed.commit.id, ())),
            )


def _persona_tree(repo: Repository, commit: str) -> str | None:
    return repo.folder_oid("persona", commit)


def _tokens(repo: Repository, commit: str) -> int:
    counter = EstimateTokenizer()
    return sum(
        counter.count(data.decode("utf-8", "replace"))
        for path, data in files_below(repo, "persona", commit).items()
        if path.endswith(".md")
    )


def _her_marks(repo: Repository, start: str) -> Callable[[Author], bool]:
    """Whether an author is the companion, known by the address that marks her commits."""
    names = {repo.path.name, *map(slug, her_names(repo, start))}
    addresses = {companion_email(name) for name in names}
    return lambda author: author.email in addresses
