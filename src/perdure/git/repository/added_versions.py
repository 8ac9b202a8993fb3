"""What some tips bring that others do not have: commits, and versions of files, oldest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from perdure.git.errors import DamagedRepository, MissingObject
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.tree_diff import TreeComparer
from perdure.git.refs.ancestry import Reach
from perdure.git.repository.repository import Parts, Repository
from perdure.progress import Progress


class AddedVersion(NamedTuple):
    """A version of a file that a commit brings.

    Attributes:
        path: the file.
        oid: the blob's id.
        size: its bytes.
        before: what the commit's first parent has there; None for nothing.
    """

    path: str
    oid: str
    size: int
    before: str | None


class AddedCommit(NamedTuple):
    """A commit, and what it brings against its first parent."""

    info: CommitInfo
    versions: list[AddedVersion]


def added_commits(
    repo: Repository,
    tips: Collection[str],
    known: Collection[str],
    progress: Progress | None = None,
) -> Iterator[AddedCommit]:
    """Commits that some tips reach and none of ``known`` does, oldest first by their dates.

    What a version has in common with the one before it is in this history, too, or in the known
    one. Where a link leads is a version of it; submodules have none.

    Args:
        repo: the repository.
        tips: ids of commits.
        known: ids of commits.
        progress: called with how many commits were handed out, and how many there are.

    Raises:
        DamagedRepository: a commit or a tree is missing or broken.
        TooManyFiles: a commit has more than are looked at.
    """
    parts = repo.parts()
    seen: dict[str, CommitInfo] = {}

    def read(oid: str) -> CommitInfo:
        found = seen.get(oid)
        if found is None:
            # Ancestry needs no words, and there may be very many.
            info = parts.store.commit(oid)
            found = seen[oid] = replace(info, subject="", body="", trailers=())
            if progress is not None and len(seen) % 1000 == 0:
                progress(len(seen), 0)
        return found

    reach = Reach(read, parts.boundary)
    order = reach.unreached(tips, known)
    trees = TreeComparer(lambda oid: parts.store.read(oid, None))
    for number, oid in enumerate(reversed(order)):
        if progress is not None:
            progress(number, len(order))
        parents = reach.parents(oid)
        old = read(parents[0]).tree if parents else None
        changes = trees.difference(old, read(oid).tree)
        versions = [
            version
            for each in changes
            if (version := _version(parts, each.path, each.new_oid, each.old_oid)) is not None
        ]
        yield AddedCommit(parts.store.commit(oid), versions)


def _version(
    parts: Parts, path: str, oid: str | None, before: str | None = None
) -> AddedVersion | None:
    """A version, where an id is one of a file here: a submodule names a commit of elsewhere."""
    if oid is None:
        return None
    try:
        kind, size = parts.store.size(oid)
    except MissingObject:
        return None
    return AddedVersion(path, oid, size, before) if kind == b"blob" else None


class Tip(NamedTuple):
    """What a ref's id leads to.

    Attributes:
        messages: of annotated tags on the way, their head included.
        commit: id of the commit at the end; None where it is a file or a folder, as git allows.
        versions: that file, or the files below that folder.
    """

    messages: list[str]
    commit: str | None
    versions: list[AddedVersion]


_TAGS_ON_TAGS = 16


def follow_tags(repo: Repository, oid: str) -> Tip:
    """Follow a ref's id through tags.

    Raises:
        DamagedRepository: an object is missing or broken, or there are tags on tags without end.
        TooManyFiles: it is a folder with more than are looked at.
    """
    parts = repo.parts()
    messages: list[str] = []
    for _ in range(_TAGS_ON_TAGS):
        kind, data = parts.store.read(oid)
        if kind == b"commit":
            return Tip(messages, oid, [])
        if kind != b"tag":
            leaves = parts.trees.leaves(oid) if kind == b"tree" else [("", (0, oid))]
            found = (_version(parts, path, node[1]) for path, node in leaves)
            return Tip(messages, None, [version for version in found if version is not None])
        messages.append(data.decode("utf-8", "replace"))
        oid = data[7:47].decode("ascii", "replace")
    raise DamagedRepository(f"the tag {oid} names another, and so on without end")
