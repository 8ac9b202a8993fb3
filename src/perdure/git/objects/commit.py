"""Reads and writes commit objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from perdure.git.errors import DamagedRepository

_PERSON = re.compile(rb"(.*?) ?<([^>]*)>(?: (-?\d{1,18}) ([+-]\d{4}))?.*")
_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*): ?(.*)")
_LONGEST_MESSAGE = 1024 * 1024
"""Bytes of a message. Of a longer one the beginning is read, and no trailers."""
_BEGINNING = 16 * 1024
_LONGEST_PERSON = 4096
OID = re.compile(r"[0-9a-f]{40}")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 (datetime.UTC is the same object)
_LAST_SECOND = 253_402_000_000


@dataclass(frozen=True, slots=True)
class Author:
    """The author or committer of a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit.

    Attributes:
        id: its id, 40 hex digits.
        parents: ids of its parents, the first is the line that it stands on.
        tree: id of its root tree.
        author: who made the change.
        at: when the change was made, aware, in the author's offset.
        committed_at: when it was committed.
        committer: who committed it.
        subject: first line of the message.
        body: the rest, without trailers.
        trailers: the ``Key: value`` lines of the last paragraph, in order.
    """

    id: str
    parents: tuple[str, ...]
    tree: str
    author: Author
    at: datetime
    committed_at: datetime
    subject: str
    body: str
    trailers: tuple[tuple[str, str], ...]
    committer: Author = Author("", "")


ReadCommit = Callable[[str], CommitInfo]
"""Reads the commit that has an id."""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _moment(seconds: int, offset: str) -> datetime:
    seconds = max(-62_000_000_000, min(seconds, _LAST_SECOND))
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    if minutes >= 24 * 60:
        minutes = 0
    zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    return (_EPOCH + timedelta(seconds=seconds)).astimezone(zone)


def parse_person(raw: bytes) -> tuple[Author, datetime]:
    """Name, address and time of ``Name <email> seconds offset``; what is missing: "" or 1970."""
    found = _PERSON.fullmatch(raw[:_LONGEST_PERSON])
    if not found:
        return Author(_text(raw[:_LONGEST_PERSON]), ""), _EPOCH
    at = _moment(int(found[3]), found[4].decode()) if found[3] else _EPOCH
    return Author(_text(found[1]), _text(found[2])), at


def split_message(message: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Split a message into subject, body and trailers.

    Trailers are the last paragraph when every line of it is ``Key: value`` or continues the one
    above with leading space, and it is not the subject itself.
    """
    subject, _, rest = message.strip("\n").partition("\n")
    paragraphs = rest.strip("\n").split("\n\n") if rest.strip("\n") else []
    trailers: list[tuple[str, list[str]]] = []
    if paragraphs:
        for line in paragraphs[-1].strip("\n").split("\n"):
            found = _TRAILER.fullmatch(line)
            if found:
                trailers.append((found[1], [found[2].strip()]))
            elif line[:1] in {" ", "\t"} and trailers:
                trailers[-1][1].append(line.strip())
            else:
                trailers = []
                break
        if trailers:
            paragraphs.pop()
    read = tuple((key, " ".join(parts)) for key, parts in trailers)
    return subject, "\n\n".join(paragraphs).strip("\n"), read


def _decoded(message: bytes, encoding: str) -> str:
    """A message in the encoding that its commit names, as far as Python knows it."""
    if encoding.lower() in {"utf-8", "utf8"}:
        return _text(message)
    try:
        # Some codecs of Python's (idna, undefined) raise whatever is asked; some make halves.
        return message.decode(encoding, "replace").encode("utf-8", "replace").decode("utf-8")
    except (LookupError, ValueError):
        return _text(message)


def parse_commit(oid: str, data: bytes) -> CommitInfo:
    """Read a commit object.

    Raises:
        DamagedRepository: it names no tree, or a parent by something that is no id.
    """
    head, _, message = data.partition(b"\n\n")
    tree = ""
    parents: list[str] = []
    author, at = Author("", ""), _EPOCH
    committer, committed_at = Author("", ""), _EPOCH
    encoding = "utf-8"
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = value.decode("ascii", "replace")
        elif key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key == b"author":
            author, at = parse_person(value)
        elif key == b"committer":
            committer, committed_at = parse_person(value)
        elif key == b"encoding":
            encoding = value.decode("ascii", "replace")
    if not OID.fullmatch(tree):
        raise DamagedRepository(f"commit {oid} names no tree")
    if not all(OID.fullmatch(parent) for parent in parents):
        raise DamagedRepository(f"commit {oid} names a parent that is no id")
    is_cut = len(message) > _LONGEST_MESSAGE
    kept = message[:_BEGINNING] if is_cut else message
    subject, body, trailers = split_message(_decoded(kept, encoding))
    trailers = () if is_cut else trailers
    # Whoever writes one by hand can name a parent half a million times; git names each once.
    once = tuple(dict.fromkeys(parents))
    return CommitInfo(oid, once, tree, author, at, committed_at, subject, body, trailers, committer)


def parents_of(data: bytes) -> tuple[str, ...]:
    """The parents that a commit object names, each once; nothing else of it is parsed."""
    lines = data.partition(b"\n\n")[0].split(b"\n")
    named = [line[7:] for line in lines if line.startswith(b"parent ")]
    return tuple(each.decode("ascii", "replace") for each in dict.fromkeys(named))


def _clean(name: str) -> bytes:
    """A name as git allows it in a commit: no brackets, no line ends, no NUL."""
    kept = "".join(" " if c in "\n\r\0" else c for c in name if c not in "<>")
    return kept.strip(" .,:;\"'").encode("utf-8", "replace")


def stamp(author: Author, at: datetime) -> bytes:
    """``Name <email> seconds offset`` as commits and reflogs have it. ``at`` must be aware.

    git has no time before 1970 (fsck: ``badDateOverflow``): by a clock that is there it is 1970.
    """
    offset = at.utcoffset()
    if offset is None:
        raise ValueError("a commit's time needs its offset")
    minutes = int(offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    seconds = max(0, (at - _EPOCH) // timedelta(seconds=1))
    name = _clean(author.name) or b"unknown"
    return b"%s <%s> %d %s" % (name, _clean(author.email), seconds, zone.encode())


def is_before_git(at: datetime) -> bool:
    """Whether a time is too early for git to store."""
    return at < _EPOCH


def render_commit(
    *, tree: str, parents: tuple[str, ...], author: Author, at: datetime, message: str
) -> bytes:
    """A commit object. NULs in the message, which git refuses, become U+FFFD."""
    text = message.replace("\0", "\ufffd").strip("\n").encode("utf-8", "replace") + b"\n"
    lines = [b"tree " + tree.encode()]
    lines += [b"parent " + parent.encode() for parent in parents]
    lines += [b"author " + stamp(author, at), b"committer " + stamp(author, at)]
    return b"\n".join(lines) + b"\n\n" + text
