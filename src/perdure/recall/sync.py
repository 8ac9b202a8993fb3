"""Bring the index up to date with a tree: read what it lacks, and nothing twice."""

from __future__ import annotations

from array import array

from perdure.companion.conversation.chunk import CHUNK_FILE_LIMIT, CONVERSATIONS, parse_chunk_path
from perdure.git.errors import HistoryError
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.recall.store import Store

File = tuple[str, str]
"""Path and blob of a chunk."""
BATCH = 64
"""Chunks in one transaction: what an interrupt can cost."""


def chunks_of(repo: Repository, rev: str) -> list[File]:
    """All chunks of a revision in the order of the conversations."""
    files = [(entry.path, entry.oid) for entry in repo.files(CONVERSATIONS, rev)]
    return sorted((file for file in files if parse_chunk_path(file[0])), key=lambda f: _key(f[0]))


def sync_tree(
    store: Store, repo: Repository, rev: str, tree: str, progress: Progress | None
) -> tuple[int, list[str]]:
    """Make a tree known; the caller holds the writer's lock.

    Returns:
        How many chunks were read, and the paths of those that were passed over for their size.

    Raises:
        HistoryError: a chunk cannot be read.
        sqlite3.Error: the index cannot be written.
    """
    passed: list[str] = []
    grown = _grow(store, repo, rev, tree, passed)
    if grown is not None:
        return grown, passed
    passed.clear()
    files = chunks_of(repo, rev)
    known = store.known()
    missing = [file for file in files if file not in known]
    if progress is not None and missing:
        progress(0, len(missing))
    done = 0
    while done < len(missing):
        batch = missing[done : done + BATCH]
        with store.writing():
            for path, oid in batch:
                known[path, oid] = _add(store, repo, path, oid, passed)
        done += len(batch)
        if progress is not None:
            progress(done, len(missing))
    ids = [known[file] for file in files]
    with store.writing():
        store.have_languages(ids, ids)
        store.keep_tree(tree, ids, instead_of=None)
    return len(missing), passed


def _add(store: Store, repo: Repository, path: str, oid: str, passed: list[str]) -> int:
    """Index one chunk; of one that is too large to be read, only that it exists."""
    data = repo.small(oid, CHUNK_FILE_LIMIT)
    if not data and repo.size(oid):
        passed.append(path)
    return store.add_chunk(oid, path, data)


def _grow(store: Store, repo: Repository, rev: str, tree: str, passed: list[str]) -> int | None:
    """Make a tree known that is the last one plus what was said since.

    Returns:
        How many chunks were read; None where anything else was changed too.
    """
    before = store.newest_tree()
    ids = store.tree(before) if before else None
    if before is None or not ids:
        return None
    try:
        changes = repo.folder_difference(before, tree)
    except HistoryError:
        return None  # the older tree is gone from the repository
    if len(changes) > BATCH:
        return None
    known, longer, added = store.last_chunk(), [], []
    with store.writing():
        for change in changes:
            path = f"{CONVERSATIONS}/{change.path}"
            # Asked of the revision, which knows links from files.
            oid = repo.oid(path, rev) if parse_chunk_path(path) else None
            if oid is None:
                return None
            number = store.has(oid, path) or _add(store, repo, path, oid, passed)
            added.append(number)
            old = store.has(change.old_oid, path) if change.old_oid else None
            if not _put(store, ids, number, path, old):
                return None
            longer += [old] if old is not None else []
        store.have_languages(ids, added)
        store.keep_tree(tree, ids, instead_of=before)
        read = sum(number > known for number in ids)
        store.drop_chunks(longer)
    return read


def _put(store: Store, ids: array[int], number: int, path: str, old: int | None) -> bool:
    """Put a chunk in place of the one that it grew from, or at the end; False if neither fits."""
    if old is not None:
        if old not in ids or not store.begins_with(number, old):
            return False
        ids[ids.index(old)] = number
        return True
    last = store.path_of(ids[-1])
    if last is None or _key(path) <= _key(last):
        return False
    ids.append(number)
    return True


def _key(path: str) -> tuple[str, int, str]:
    named = parse_chunk_path(path)
    return (named[0].text, named[1], path) if named else ("", 0, path)
