"""Annotated tags: made, read and deleted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.errors import UnknownRevision
from perdure.git.objects.commit import Author, stamp
from perdure.git.objects.store import object_id
from perdure.git.operations.branches import new_tag
from perdure.git.operations.operation import Operation, RefMove, perform
from perdure.git.refs.refs import TAGS, is_ref_name

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


def tag_with_note(
    repo: Repository, name: str, rev: str | None, note: str, *, author: Author, at: datetime
) -> Operation:
    """Make an annotated tag.

    Args:
        repo: the repository.
        name: the tag's name; must not exist.
        rev: the commit; HEAD without one.
        note: the message.
        author: who it is from.
        at: aware time.

    Raises:
        BadPath: the tag exists, or git would not take the name.
        UnknownRevision: there is no such commit.
    """
    ref = new_tag(repo, name)
    parts = repo.parts()
    commit = repo.resolve(rev or "HEAD")
    text = note.replace("\0", "\ufffd").strip("\n")
    data = b"object %s\ntype commit\ntag %s\ntagger %s\n\n%s\n" % (
        commit.encode(),
        name.encode(),
        stamp(author, at),
        text.encode("utf-8", "replace"),
    )
    oid = object_id(b"tag", data)
    with parts.writer.exclusive("the tag"):
        keep = parts.writer.packs.write([(oid, b"tag", data)])
    description = f"{name} at {commit[:7]}"
    with keep:
        return perform(repo, "tag", description, [RefMove(ref, None, oid)], author=author, at=at)


def drop_tag(repo: Repository, name: str, *, author: Author, at: datetime) -> Operation:
    """Delete a tag; undo brings it back, with its message.

    Raises:
        UnknownRevision: there is no such tag.
    """
    ref = f"{TAGS}{name}"
    oid = repo.parts().refs.read(ref) if is_ref_name(ref) else None
    if oid is None:
        raise UnknownRevision(
            f"there is no tag {name}", "nothing was changed", "perdure tag lists them"
        )
    return perform(repo, "untag", name, [RefMove(ref, oid, None)], author=author, at=at)


def tag_note(repo: Repository, name: str) -> str | None:
    """The message of an annotated tag; None for a lightweight one."""
    parts = repo.parts()
    oid = parts.refs.read(f"{TAGS}{name}")
    kind, data = parts.store.read(oid) if oid else (b"", b"")
    if kind != b"tag":
        return None
    head, _, message = data.partition(b"\n\n")
    if b"\ntagger " not in head:
        return None
    return message.decode("utf-8", "replace").strip("\n")
