"""Operations on branches, tags and HEAD: each is one crash-safe write and one log entry.

``perform`` does it and writes it down; ``operations`` lists what was done; `undoing` walks back and
forth. A plain commit (a turn, an edit) is an entry too, and costs none in the log.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from perdure.git.commit.plan import Plan
from perdure.git.commit.transaction import Mover
from perdure.git.errors import (
    BadPath,
    CheckedOutElsewhere,
    HistoryError,
    RefElsewhere,
    Unfinished,
    UnknownRevision,
)
from perdure.git.host import device_name
from perdure.git.objects.commit import Author, CommitInfo, render_commit, stamp
from perdure.git.objects.store import EMPTY_TREE, object_id
from perdure.git.objects.tree import Change, Placed
from perdure.git.operations import log as oplog
from perdure.git.operations.arrivals import Arrivals, known_before
from perdure.git.operations.log import Operation, Trail, logged_operations
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, OPS, Head, RefMove, check_branch, is_ref_name, short_name

if TYPE_CHECKING:
    from perdure.git.commit.plan import Accepted
    from perdure.git.repository.repository import Parts, Repository

__all__ = ["Operation", "RefMove", "as_entry", "made_commit", "operations", "perform"]

_KEPT = "refs/perdure/kept/"


def perform(
    repo: Repository,
    kind: str,
    description: str,
    moves: Sequence[RefMove] = (),
    *,
    author: Author,
    head: str | None = None,
    at: datetime | None = None,
    undoes: str = "",
    redoes: str = "",
    trail: Trail | None = None,
    accepted: Accepted | None = None,
    done: Sequence[str] = (),
) -> Operation:
    """Move refs, HEAD, index and work tree as one write, and log it.

    Args:
        repo: the repository.
        kind: one word, lower case.
        description: what is done, one line for the user, without the kind.
        moves: refs to make, move or remove, each with the id that it must have now.
        author: who does it.
        head: name of the branch that is checked out afterwards; the same as now without one.
        at: aware time; now without one.
        undoes: for `undoing`.
        redoes: for `undoing`.
        trail: for `undoing`.
        accepted: for merges: per path more blobs that file and index may have.
        done: for merges: files in the work tree's git folder that go at the end.

    Returns:
        The entry. When this returns, all of it is on the disk.

    Raises:
        UnsavedEdits: work files with edits would be overwritten.
        Unfinished: a merge, rebase, cherry-pick, revert or bisect is open here.
        CheckedOutElsewhere: a branch is checked out in another work tree.
        RefElsewhere: a ref is not at its ``old``.
        UnknownRevision: there is no such branch or commit.
        BadPath: a ref cannot have that name, or cannot stand beside another.
        Busy: git is writing; nothing was changed.
        StorageFull, ReadOnly, WriteFailed: nothing was changed.
        NotCarriedOut: it is in the log, and the rest follows once what keeps it back is gone.
    """
    parts = repo.parts()
    when = at or datetime.now().astimezone()
    with parts.writer.exclusive(f"the operation ({kind})"):
        parts.writer.finish_operation()
        before = parts.refs.head()
        changing = [move for move in moves if move.old != move.new]
        all_moves = [*changing, *_kept_tags(parts, moves)]
        after = _head_after(parts, before, head, all_moves)
        _check_moves(repo, parts, all_moves, before, after, is_merge=bool(done))
        log = parts.refs.read(OPS)
        entry = Operation(
            "", kind, description, when, author, device_name(), tuple(all_moves), before, after,
            undoes=undoes, redoes=redoes, trail=trail or _trail(repo, log, kind, all_moves),
        )  # fmt: skip
        op, objects = _entry_commit(repo, parts, entry, log)
        plan = Plan(op, log, tuple(all_moves), before, after, accepted or {}, tuple(done))
        with parts.writer.packs.write(objects):
            # Only when the repository is otherwise at rest does a commit stay remembered.
            parts.writer.forget_commits()
            mover = Mover(parts)
            mover.carry_out(plan, stamp(author, when), f"{kind}: {description}")
    return oplog.parse_entry(repo.commit_info(op))


def _kept_tags(parts: Parts, moves: Sequence[RefMove]) -> list[RefMove]:
    """Annotated tags that go: no commit can have a tag as its parent, so a ref of ours keeps it."""
    kept: dict[str, RefMove] = {}
    moved = {move.ref for move in moves}
    for move in moves:
        if move.old is not None and parts.store.read(move.old)[0] == b"tag":
            name = _KEPT + move.old
            if name not in moved and parts.refs.read(name) is None:
                kept[name] = RefMove(name, None, move.old)
    return list(kept.values())


def _head_after(parts: Parts, before: Head, head: str | None, moves: Sequence[RefMove]) -> Head:
    branch = head if head is not None else before.branch
    if branch is None:
        return before
    ref = check_branch(branch)
    values = {move.ref: move.new for move in moves}
    commit = values[ref] if ref in values else parts.refs.read(ref)
    if commit is None and branch != before.branch:
        raise UnknownRevision(
            f"there is no branch {branch}", "nothing was changed", "perdure branch"
        )
    if commit is None and before.commit is not None:
        raise HistoryError(
            f"{branch} is checked out", "nothing was changed", "switch to another branch first"
        )
    return Head(branch, commit)


def _check_moves(
    repo: Repository,
    parts: Parts,
    moves: Sequence[RefMove],
    before: Head,
    after: Head,
    *,
    is_merge: bool,
) -> None:
    existing = set(parts.refs.names("refs/")) | {move.ref for move in moves if move.new is not None}
    for move in moves:
        if not is_ref_name(move.ref) or move.ref == OPS:
            raise BadPath(f"{move.ref!r} cannot be moved", "nothing was changed")
        if parts.refs.read(move.ref) != move.old:
            raise RefElsewhere(
                f"{short_name(move.ref)} is not where it was",
                "nothing was changed",
                "look again, then repeat",
            )
        if move.new is not None:
            kind = parts.store.read(move.new)[0]
            if move.ref.startswith(HEADS) and kind != b"commit":
                raise UnknownRevision(f"{move.new} is not a commit", "nothing was changed")
        if move.old is None:
            _check_beside(move.ref, existing)
    state = repo.state_of_work()
    if before != after and state.open_operation and not is_merge:
        raise Unfinished(
            f"a {state.open_operation} is not finished",
            "nothing was changed",
            f"finish it, or abort it with `git {state.open_operation} --abort`",
        )
    names = {move.ref.removeprefix(HEADS) for move in moves}
    if after.branch is not None and after.branch != before.branch:
        names.add(after.branch)
    for branch, place in parts.refs.checked_out_elsewhere().items():
        if branch in names:
            raise CheckedOutElsewhere(
                f"{branch} is checked out in {place}", "nothing was changed", "do it there"
            )


def _check_beside(ref: str, existing: set[str]) -> None:
    """Refs are files for git: none can be in a folder that is called like another."""
    near = next(
        (name for name in existing if name.startswith(f"{ref}/") or ref.startswith(f"{name}/")),
        None,
    )
    if near is not None:
        raise BadPath(
            f"{short_name(ref)} cannot stand beside {short_name(near)}",
            "nothing was changed",
            "choose another name",
        )


def _trail(repo: Repository, log: str | None, kind: str, moves: Sequence[RefMove]) -> Trail:
    last = next(oplog.walk_log(log, repo.commit_info), None)
    known: tuple[str, ...] = ()
    if kind == oplog.SYNC:
        parts = repo.parts()
        new = [move.new for move in moves if move.ref.startswith(HEADS) and move.new is not None]
        had = list(parts.refs.names(HEADS).values())
        known = known_before(repo.commit_info, parts.boundary, new, had)
    return Trail(position_before=last.trail.position if last else None, known=known)


def _entry_commit(
    repo: Repository, parts: Parts, entry: Operation, log: str | None
) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The operation's commit, and what has to be stored for it."""
    parents = [log] if log else []
    for tip in _hidden(repo, parts, entry):
        if tip not in parents:
            parents.append(tip)
    data = render_commit(
        tree=EMPTY_TREE,
        parents=tuple(parents),
        author=entry.author,
        at=entry.at,
        message=oplog.render(entry),
    )
    op = object_id(b"commit", data)
    return op, [(EMPTY_TREE, b"tree", b""), (op, b"commit", data)]


def _hidden(repo: Repository, parts: Parts, entry: Operation) -> list[str]:
    """Commits that were a tip before and are not in the past of what replaces them."""
    reach = Reach(repo.commit_info, parts.boundary)
    found = []
    for move in entry.moves:
        old, new = move.old, move.new
        if old is None or move.ref.startswith(_KEPT) or parts.store.read(old)[0] != b"commit":
            continue
        is_commit = new is not None and parts.store.read(new)[0] == b"commit"
        if new is None or not is_commit or not reach.is_ancestor(old, new):
            found.append(old)
    if entry.before.branch is None and entry.before.commit and entry.after != entry.before:
        found.append(entry.before.commit)
    return found


@contextmanager
def made_commit(
    repo: Repository,
    changes: Sequence[Change | Placed],
    *,
    parents: Sequence[str],
    message: str,
    author: Author,
    at: datetime | None = None,
    files_of: str | None = None,
) -> Iterator[str]:
    """Make a commit that is on no branch yet, for `perform` to move a ref to.

    Within the ``with`` statement git leaves it alone; after it the move must be done, or decided.

    Args:
        repo: the repository.
        changes: what it changes.
        parents: its parents; the changes are made on the files of the first.
        message: the whole message.
        author: who it is from.
        at: aware time; now without one.
        files_of: a commit whose files it has instead of its first parent's, before the changes.

    Yields:
        Its id; it is on the disk.
    """
    parts = repo.parts()
    base = files_of or (parents[0] if parents else None)
    with parts.writer.exclusive("storing a commit"):
        root = repo.commit_info(base).tree if base else None
        edit = parts.trees.edit(root, changes)
        data = render_commit(
            tree=edit.root,
            parents=tuple(parents),
            author=author,
            at=at or datetime.now().astimezone(),
            message=message,
        )
        oid = object_id(b"commit", data)
        keep = parts.writer.packs.write([*edit.objects, (oid, b"commit", data)])
    with keep:
        yield oid


def operations(
    repo: Repository,
    limit: int | None = 50,
    *,
    is_own: Callable[[CommitInfo], bool] = lambda _info: False,
) -> list[Operation]:
    """List what was done here, newest first: log entries, and commits of the current branch.

    What came from elsewhere is not listed; the entry of the sync that brought it is.

    Args:
        repo: the repository.
        limit: how many at most; None: all.
        is_own: tells commits that nobody asked for; they are left out.
    """
    parts = repo.parts()
    logged = list(logged_operations(repo))
    made = {oid for entry in logged for oid in _made_by(repo, entry)}
    head = parts.refs.head()
    arrivals = Arrivals(repo, logged, head.branch)
    commits = (
        as_entry(info, head.branch)
        for info in arrivals.line(head.commit)
        if info.id not in made and not is_own(info)
    )
    merged = heapq.merge(logged, commits, key=lambda entry: -entry.at.timestamp())
    return list(islice(merged, limit))


def _made_by(repo: Repository, entry: Operation) -> Iterator[str]:
    """The commits that an operation made, as a merge does."""
    yield from entry.trail.stands_for
    if not (entry.undoes or entry.redoes):
        for move in entry.moves:
            if move.ref.startswith(HEADS) and move.old is not None and move.new is not None:
                parents = repo.commit_info(move.new).parents
                if parents and parents[0] == move.old:
                    yield move.new


def as_entry(info: CommitInfo, branch: str | None) -> Operation:
    """A plain commit as an entry."""
    kind, colon, description = info.subject.partition(": ")
    parent = info.parents[0] if info.parents else None
    moves = (RefMove(f"refs/heads/{branch}", parent, info.id),) if branch else ()
    return Operation(
        info.id,
        kind if colon else "commit",
        description or info.subject,
        info.committed_at,
        info.author,
        moves=moves,
        before=Head(branch, parent),
        after=Head(branch, info.id),
        is_commit=True,
    )
