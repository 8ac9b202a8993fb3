"""The log of operations: commits under ``refs/perdure/ops``, written and read.

One commit an operation, its first parent the operation before, its other parents the tips that the
operation hid, so that git never drops them. The subject is ``kind: what was done``; trailers hold
the rest. The ref is local: it is in no refspec that anybody writes, and a clone begins without one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.refs.refs import NO_OID, OPS, Head, RefMove, is_ref_name

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

SYNC = "sync"
"""The kind of an operation that brings what came from elsewhere: no act of this device's user."""
_NONE = "-"
_NOWHERE = Head(None, None)
_OID = re.compile(r"[0-9a-f]{40}")
_KIND = re.compile(r"[a-z][a-z-]{0,30}")


@dataclass(frozen=True, slots=True)
class Trail:
    """Where undo and redo stand after an entry.

    Attributes:
        position: the entry that undo takes back next, once no plain commit stands above it; None:
            there is none. An ordinary operation is its own.
        position_before: the same before this entry.
        redo: the undo that redo takes back next, None without one.
        redo_before: the same before this entry.
        stands_for: commits that undo made, each with the commit that it leads back to; it has that
            one's files, unless something came from elsewhere since.
        known: of a sync: where what came meets what was here before.
        came: of a clone: the tips that it began with.
    """

    position: str | None = None
    position_before: str | None = None
    redo: str | None = None
    redo_before: str | None = None
    stands_for: Mapping[str, str] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    came: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, or one plain commit, as the log shows it.

    Attributes:
        id: the commit that tells of it; for a plain commit the commit itself.
        kind: one word: ``rewind``, ``switch``, ``merge``, ``undo``…; of a plain commit the word
            before the colon in its subject.
        description: what was done, in words for the user.
        at: when, aware.
        author: who did it.
        device: name of the computer; "" for a plain commit.
        moves: the refs that it moved.
        before: HEAD before.
        after: HEAD after.
        is_commit: a plain commit on a branch, which costs no entry in the log.
        undoes: id of the entry that this one took back, "" if none.
        redoes: id of the undo that this one took back, "" if none.
        trail: bookkeeping of undo and redo.
    """

    id: str
    kind: str
    description: str
    at: datetime
    author: Author
    device: str = ""
    moves: tuple[RefMove, ...] = ()
    before: Head = _NOWHERE
    after: Head = _NOWHERE
    is_commit: bool = False
    undoes: str = ""
    redoes: str = ""
    trail: Trail = field(default_factory=Trail)


def render(operation: Operation) -> str:
    """The message of an operation's commit; its ``id`` is not known yet and not part of it."""
    if not _KIND.fullmatch(operation.kind):
        raise ValueError(f"not a kind of operation: {operation.kind!r}")
    description = " ".join(operation.description.split()) or operation.kind
    lines = [f"{operation.kind}: {description}", ""]
    lines.append(f"Device: {operation.device}")
    lines.append(f"Head-Before: {_head(operation.before)}")
    lines.append(f"Head-After: {_head(operation.after)}")
    lines.extend(
        f"Ref: {move.ref} {move.old or NO_OID} {move.new or NO_OID}" for move in operation.moves
    )
    trail = operation.trail
    for key, value in (("Undoes", operation.undoes), ("Redoes", operation.redoes)):
        if value:
            lines.append(f"{key}: {value}")
    if operation.undoes or operation.redoes:
        lines.append(f"Position: {trail.position or _NONE}")
    lines.append(f"Position-Before: {trail.position_before or _NONE}")
    if operation.redoes:
        lines.append(f"Redo: {trail.redo or _NONE}")
    if operation.undoes:
        lines.append(f"Redo-Before: {trail.redo_before or _NONE}")
    lines.extend(f"Stands-For: {made} {meant}" for made, meant in trail.stands_for.items())
    for key, oids in (("Known", trail.known), ("Came", trail.came)):
        lines.extend(f"{key}: {oid}" for oid in oids)
    return "\n".join(lines)


def _head(head: Head) -> str:
    return f"{head.branch or _NONE} {head.commit or NO_OID}"


def _id(text: str) -> str | None:
    """An id, None for none; a log may come from elsewhere, and say what is no id."""
    return text if _OID.fullmatch(text) and text != NO_OID else None


def _ids(info: CommitInfo, name: str) -> tuple[str, ...]:
    return tuple(value for key, value in info.trailers if key == name and _OID.fullmatch(value))


def parse_entry(info: CommitInfo) -> Operation:
    """Read an operation from its commit; missing fields are empty."""
    kind, _, description = info.subject.partition(": ")
    values = dict(info.trailers)
    rows = [value.split() for key, value in info.trailers if key == "Ref"]
    pairs = [value.split() for key, value in info.trailers if key == "Stands-For"]
    undoes, redoes = values.get("Undoes", ""), values.get("Redoes", "")
    trail = Trail(
        position=_id(values.get("Position", "")) if undoes or redoes else info.id,
        position_before=_id(values.get("Position-Before", "")),
        redo=info.id if undoes else _id(values.get("Redo", "")),
        redo_before=_id(values.get("Redo-Before", "")),
        stands_for={
            pair[0]: pair[1] for pair in pairs if len(pair) == 2 and all(map(_OID.fullmatch, pair))
        },
        known=_ids(info, "Known"),
        came=_ids(info, "Came"),
    )
    return Operation(
        id=info.id,
        kind=kind,
        description=description,
        at=info.committed_at,
        author=info.author,
        device=values.get("Device", ""),
        moves=tuple(
            RefMove(row[0], _id(row[1]), _id(row[2]))
            for row in rows
            if len(row) == 3 and is_ref_name(row[0]) and all(map(_OID.fullmatch, row[1:]))
        ),
        before=_parse_head(values.get("Head-Before", "")),
        after=_parse_head(values.get("Head-After", "")),
        undoes=undoes,
        redoes=redoes,
        trail=trail,
    )


def _parse_head(text: str) -> Head:
    words = text.split()
    if len(words) != 2:
        return _NOWHERE
    name = words[0] if is_ref_name(f"refs/heads/{words[0]}") and words[0] != _NONE else None
    return Head(name, _id(words[1]))


def logged_operations(repo: Repository) -> Iterator[Operation]:
    """The entries of a repository's log, newest first."""
    return walk_log(repo.parts().refs.read(OPS), repo.commit_info)


def walk_log(tip: str | None, read: Callable[[str], CommitInfo]) -> Iterator[Operation]:
    """Walk the log, newest operation first."""
    while tip is not None:
        info = read(tip)
        yield parse_entry(info)
        first = info.parents[0] if info.parents else None
        # The first operation has hidden tips only, or no parent.
        tip = first if first is not None and "Head-After" in dict(read(first).trailers) else None
