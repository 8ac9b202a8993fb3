"""Paths of trees: which may stand in a work tree, and what a name that may not is kept as.

Whoever writes objects by hand can put any bytes into a tree: ``..``, ``.git``, a slash inside a
name. git refuses these when it checks a tree out, not when it clones. Such an entry is read under
a *marked* name, which no file system and no other entry can have; opening a path refuses it.

The rules are those of git's ``verify_path``, ``is_hfs_dotgit`` and ``is_ntfs_dotgit``, on every
system: a companion wanders from one to the other.
"""

from __future__ import annotations

import unicodedata

from perdure.git.errors import BadPath

LONGEST_NAME = 255
"""Bytes of a name; no file system in use takes more."""
DEEPEST = 128
"""Folders on the way to a file, itself counted; a tree below that is not opened."""
_LONGEST_PATH = 4096
_MARK = "\0"
"""git's trees end a name with it, so no name has one inside."""
_DOT_GIT = {".git", "git~1"}
# Format characters that HFS+ ignores in names: `.g\u200cit` would be `.git` there.
_IGNORABLE = "Cf"


def tree_name(raw: bytes) -> str:
    """A name as a tree has it; marked where it is empty or holds a slash."""
    name = raw.decode("utf-8", "surrogateescape")
    return name if name and "/" not in name else _MARK + name.replace("/", _MARK)


def raw_name(name: str) -> bytes:
    """The bytes that `tree_name` has made a name from."""
    if name.startswith(_MARK):
        name = name[1:].replace(_MARK, "/")
    return name.encode("utf-8", "surrogateescape")


def _is_good(name: str) -> bool:
    if name in {"", ".", ".."} or _MARK in name:
        return False
    # Windows takes a backslash for the end of a name, a colon for the start of a stream's name.
    for part in name.split("\\") if "\\" in name else (name,):
        if part == ".." or (("." in part or "~" in part) and _is_dot_git(part)):
            return False
    return len(name.encode("utf-8", "surrogateescape")) <= LONGEST_NAME


def _is_dot_git(part: str) -> bool:
    if not part.isascii():
        part = "".join(c for c in part if unicodedata.category(c) != _IGNORABLE)
    return part.partition(":")[0].rstrip(". ").casefold() in _DOT_GIT


def is_name(raw: bytes) -> bool:
    """Whether an entry of a tree that is called so may stand in a work tree."""
    return _is_good(tree_name(raw))


def is_path(path: str) -> bool:
    """Whether a path may stand in a work tree."""
    parts = path.split("/")
    return (
        len(parts) <= DEEPEST
        and len(path.encode("utf-8", "surrogateescape")) < _LONGEST_PATH
        and all(_is_good(part) for part in parts)
    )


def check_path(path: str) -> tuple[str, ...]:
    """The components of a path that may stand in a tree.

    Raises:
        BadPath: it is absolute or empty, climbs, holds NUL, is longer or deeper than file systems
            take, or names git's own folder in any of the ways in which one would take it for
            ``.git``.
    """
    if not is_path(path):
        raise BadPath(f"{shown(path)} cannot be a path in a repository", "nothing was changed")
    return tuple(path.split("/"))


def shown(path: str) -> str:
    """A path in quotes for an error, its middle left out where it is long."""
    plain = "/".join(raw_name(part).decode("utf-8", "surrogateescape") for part in path.split("/"))
    if len(plain) > 120:
        plain = f"{plain[:60]} … {plain[-50:]}"
    return repr(plain)
