"""Looks at objects from outside as ``git fsck`` does: what they name, and what is odd about them.

Whoever writes objects by hand can give a tree any names in any order. What such a tree does to a
work tree is told in `perdure.git.paths`; here it is found before anything is checked out. From one
version of a tree to the next nearly all entries are the same, so each is looked at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from perdure.git.objects.git_settings import setting_of
from perdure.git.objects.tree import MOST_BYTES
from perdure.git.paths import is_name

MOST_TROUBLES = 100
"""Of a kind. More of them say nothing new."""
_ENTRY = re.compile(rb"[0-7]{1,7} [^\0]*\0.{20}", re.DOTALL)
_COMMIT = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)"
    rb"author [^\n\0]*> %(at)b\ncommitter [^\n\0]*> %(at)b\n"
    % {b"at": rb"(?:0|[1-9][0-9]{0,17}) [+-][0-9]{4}"}
)
_IDENT = rb"[^\n\0<>]* <[^\n\0<>]*> [0-9]+ [+-][0-9]{4}\n"
_GOOD_IDENTS = re.compile(rb"author %(who)b(?:committer %(who)b)" % {b"who": _IDENT})
_GOOD_TAGGER = re.compile(rb"(?:tagger %b)?(?!tagger)" % _IDENT)
_TAG = re.compile(rb"object ([0-9a-f]{40})\ntype (commit|tree|blob|tag)\ntag [^\n\0]+\n")
_MODES = {b"100644", b"100755", b"40000", b"120000", b"160000"}
_NO_ID = bytes(20)
_FOLDER, _LINK, _SUBMODULE = b"40000", b"120000", b"160000"

TroubleKind = Literal[
    "broken",
    "missing",
    "kind",
    "name",
    "mode",
    "twice",
    "order",
    "entries",
    "depth",
    "link",
    "submodule",
    "strict",
]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that an object from outside should not be.

    Attributes:
        kind: ``broken``: no commit, tree or tag that git reads; ``missing``: something that it
            needs is nowhere; ``kind``: it names one kind of object as another; ``name``: no file
            may be called so; ``mode``: neither file, program, folder, link nor submodule;
            ``twice``: two entries with one name; ``order``: a tree that is not sorted; ``entries``:
            a tree larger than is read; ``depth``: folders deeper in one another than files are
            looked for; ``link`` and ``submodule``: allowed in git, not checked out; ``strict``: git
            reads it, and refuses it where it is strict, as many servers are.
        oid: the object in question, in hex.
        says: what is wrong, in words.
        path: where in the tree of a new tip it is, or the entry's name alone; "" where neither is
            known.
    """

    kind: TroubleKind
    oid: str
    says: str
    path: str = ""


class Inspection:
    """What was seen of the objects so far.

    Attributes:
        trees: raw ids that trees and commits name as trees.
        blobs: raw ids that trees name as files.
        commits: raw ids that commits name as parents.
        tagged: raw ids that tags name, each with the kind.
        settings: raw ids of files that git takes for its own settings, each with the name.
        troubles: what is odd.
    """

    def __init__(self) -> None:
        self.trees: set[bytes] = set()
        self.blobs: set[bytes] = set()
        self.commits: set[bytes] = set()
        self.tagged: dict[bytes, bytes] = {}
        self.settings: dict[bytes, str] = {}
        self.troubles: list[Trouble] = []
        self._counts: dict[TroubleKind, int] = {}
        self._seen: set[bytes] = set()
        self._shapes: set[int] = set()
        self._heads: set[bytes] = set()

    @property
    def named(self) -> int:
        """How many different entries all trees have."""
        return len(self._seen)

    def add(self, kind: TroubleKind, oid: bytes, says: str, name: bytes = b"") -> None:
        """Note something odd, unless enough of that kind is known."""
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= MOST_TROUBLES:
            shown = name.decode("utf-8", "backslashreplace")
            self.troubles.append(Trouble(kind, oid.hex(), says, shown))

    def look(self, kind: bytes, oid: bytes, data: bytes) -> None:
        """Look at one object."""
        if kind == b"tree":
            self._tree(oid, data)
        elif kind == b"commit":
            self._commit(oid, data)
        elif kind == b"tag":
            found = _TAG.match(data)
            if found:
                self.tagged[bytes.fromhex(found[1].decode())] = found[2]
                head = data[found.end() :].partition(b"\n\n")[0]
                if b"\0" in head or not _GOOD_TAGGER.match(data, found.end()):
                    self.add("strict", oid, "who made the tag is written as git refuses it")
            else:
                self.add("broken", oid, "it is no tag that git reads")

    def _commit(self, oid: bytes, data: bytes) -> None:
        found = _COMMIT.match(data)
        if not found:
            self.add("broken", oid, "it is no commit that git reads")
            return
        self.trees.add(bytes.fromhex(found[1].decode()))
        for parent in found[2].split():
            if parent != b"parent":
                self.commits.add(bytes.fromhex(parent.decode()))
        if b"\0" in data:
            self.add("strict", oid, "a commit's message holds a NUL")
        elif not _GOOD_IDENTS.match(data, found.end(2)):
            self.add("strict", oid, "a commit's author is written as git refuses it")

    def _tree(self, oid: bytes, data: bytes) -> None:
        if len(data) > MOST_BYTES:
            self.add("entries", oid, f"it is a folder of {len(data):,} bytes")
            return
        entries: list[bytes] = _ENTRY.findall(data)
        if sum(map(len, entries)) != len(data):
            self.add("broken", oid, "it is no tree that git reads")
            return
        fresh = set(entries) - self._seen
        self._seen |= fresh
        for entry in fresh:
            if entry.startswith(b"40000 "):
                self.trees.add(entry[-20:])
            elif not entry.startswith(b"160000 "):
                self.blobs.add(entry[-20:])
            if entry.endswith(_NO_ID):
                self.add("strict", oid, "it holds an entry without an id")
            if b".git" in entry or b"~" in entry:
                self._setting(oid, entry)
        heads = [entry[:-21] for entry in entries]
        shape = hash(b"\0".join(heads))
        if shape not in self._shapes:
            self._shapes.add(shape)
            self._names(oid, heads)

    def _setting(self, oid: bytes, entry: bytes) -> None:
        mode, _, name = entry[:-21].partition(b" ")
        kind = setting_of(name)
        if kind and mode == _LINK:
            self.add("strict", oid, f"its {kind} is a link", name)
        elif kind and mode != _FOLDER:
            self.settings[entry[-20:]] = kind

    def _names(self, oid: bytes, heads: list[bytes]) -> None:
        """Names and modes of a tree's entries, and their order."""
        keys: list[bytes] = []
        for head in heads:
            mode, _, name = head.partition(b" ")
            keys.append(name + b"/" if mode == _FOLDER else name)
            if head not in self._heads:
                self._heads.add(head)
                self._name(oid, mode, name)
        if len({key.removesuffix(b"/") for key in keys}) < len(keys):
            self.add("twice", oid, "it has two entries with one name")
        elif keys != sorted(keys):
            self.add("order", oid, "its entries are not sorted as git sorts them")

    def _name(self, oid: bytes, mode: bytes, name: bytes) -> None:
        if not is_name(name):
            self.add("name", oid, "no file may have this name", name)
        if mode not in _MODES:
            self.add("mode", oid, f"it has an entry of the odd mode {mode.decode()}", name)
        elif mode == _LINK:
            self.add("link", oid, "it holds a link", name)
        elif mode == _SUBMODULE:
            self.add("submodule", oid, "it holds another repository", name)
