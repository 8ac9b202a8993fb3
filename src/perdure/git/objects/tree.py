"""Reads, walks, compares and edits trees, without a work tree or an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from perdure.git.errors import BadPath, DamagedRepository, TooLargeObject, too_many
from perdure.git.objects.store import EMPTY_TREE, ObjectStore, object_id
from perdure.git.objects.tree_budget import MOST_FILES, Below, Pair, WalkCount
from perdure.git.paths import DEEPEST, check_path, raw_name, tree_name

FOLDER = 0o40000
FILE = 0o100644
PROGRAM = 0o100755
_LONGEST_MODE = 6
_REGULAR = {FILE, PROGRAM, 0o100664}
_MOST_KEPT = 200_000
"""Entries of all trees that are kept."""
MOST_BYTES = 16 * 1024 * 1024
"""Of one tree: a folder of some 400,000 files."""

Node = tuple[int, str]
"""Mode and id of one tree entry."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one file.

    Attributes:
        path: the file.
        content: what it holds afterwards; None removes it.
        mode: of the entry afterwards, whatever stands there; None: as it was, and a plain file
            where there was none.
    """

    path: str
    content: bytes | None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry put into a tree as it stands in another one: a file, a link, a submodule."""

    path: str
    node: Node


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file in a tree."""

    path: str
    oid: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs between two trees; None on a side that does not have it."""

    path: str
    old_oid: str | None
    new_oid: str | None


Blobs = Mapping[str, tuple[Node | None, Node | None]]
"""Per changed path its entry before and after."""


@dataclass(slots=True)
class Edit:
    """The outcome of editing a tree."""

    root: str
    objects: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    """New objects: id, kind, content; blobs first, the root last."""
    blobs: dict[str, tuple[Node | None, Node | None]] = field(default_factory=dict)
    """Per changed path: entry before and after."""
    folders: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Per folder on the way, "" for the root: tree before and after."""


def _removes(change: Change | Placed) -> bool:
    return isinstance(change, Change) and change.content is None


def is_regular(node: Node) -> bool:
    """Whether an entry is a file: no folder, link or submodule."""
    return node[0] in _REGULAR


def oid_of(node: Node | None) -> str | None:
    """The id of an entry; None for none."""
    return node[1] if node else None


def parse_tree(data: bytes) -> dict[str, Node]:
    """Entries of a tree by name, in the tree's own order; of two with one name the last.

    A name that no file can have is among them, marked (`perdure.git.paths`).

    Raises:
        DamagedRepository: the object is cut short or has a mode that is no number.
    """
    entries: dict[str, Node] = {}
    at = 0
    try:
        while at < len(data):
            space = data.index(b" ", at)
            end = data.index(b"\0", space)
            oid = data[end + 1 : end + 21]
            if len(oid) != 20:
                raise DamagedRepository("a tree is cut short")
            if not 0 < space - at <= _LONGEST_MODE or not data[at:space].isdigit():
                raise DamagedRepository("a tree has an entry of unknown mode")
            entries[tree_name(data[space + 1 : end])] = (int(data[at:space], 8), oid.hex())
            at = end + 21
    except ValueError as error:
        raise DamagedRepository("a tree cannot be read") from error
    return entries


def render_tree(entries: Mapping[str, Node]) -> bytes:
    """A tree object. git sorts folders as if their names ended with a slash."""
    rows = []
    for name, (mode, oid) in entries.items():
        raw = raw_name(name)
        key = raw + b"/" if mode == FOLDER else raw
        rows.append((key, b"%o %s\0" % (mode, raw) + bytes.fromhex(oid)))
    rows.sort()
    return b"".join(row for _, row in rows)


TwoTrees = tuple[int, dict[str, Node], dict[str, Node]]
"""How many names of two trees are looked at, and by name the entries that only one of them has."""
Differing = Callable[[str | None, str | None], TwoTrees]


def _below(differing: Differing) -> Below:
    """Opens the folders of a pair that differ."""

    def opened(pair: Pair) -> tuple[int, list[Pair]]:
        looked_at, gone, come = differing(pair[0], pair[1])
        inner: list[Pair] = []
        for name in gone | come if pair[2] <= DEEPEST else ():
            sides = (gone.get(name), come.get(name))
            trees = [node[1] if node and node[0] == FOLDER else None for node in sides]
            if trees != [None, None]:
                inner.append((trees[0], trees[1], pair[2] + 1))
        return looked_at, inner

    return opened


def compare_trees(old: str | None, new: str | None, differing: Differing) -> list[FileChange]:
    """Paths whose entries differ, sorted, as `Trees.difference` gives them.

    Args:
        old: a tree, None for none.
        new: another.
        differing: compares two trees by their ids, without what is in their folders.

    Raises:
        TooManyFiles: there are more than `MOST_FILES`.
    """
    found: list[FileChange] = []
    count = WalkCount((old, new, 0), _below(differing))
    stack: list[tuple[str, str | None, str | None]] = [("", old, new)]
    while stack:
        folder, before, after = stack.pop()
        if before == after:
            continue
        looked_at, gone, come = differing(before, after)
        count.take(looked_at)
        closed = 0 if folder.count("/") >= DEEPEST else FOLDER
        for name in gone | come:
            path = f"{folder}/{name}" if folder else name
            sides = (gone.get(name), come.get(name))
            trees = [node[1] if node and node[0] == closed else None for node in sides]
            if trees != [None, None]:
                stack.append((path, trees[0], trees[1]))
            files = [node[1] if node and node[0] != closed else None for node in sides]
            if files != [None, None]:
                found.append(FileChange(path, files[0], files[1]))
    return sorted(found, key=lambda change: change.path)


class Trees:
    """Trees of one object store, parsed ones kept for a while."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._parsed: dict[str, dict[str, Node]] = {}
        self._kept = 0

    def root(self, commit: str) -> str:
        """The tree of a commit.

        Raises:
            DamagedRepository: it is something else, or cannot be read.
        """
        return self._store.content(b"commit", commit)[5:45].decode("ascii")

    def root_of(self, commit: str | None) -> str | None:
        """The tree of a commit; None for none."""
        return self.root(commit) if commit else None

    def entries(self, oid: str) -> Mapping[str, Node]:
        """Entries of one tree by name. The mapping must not be changed.

        Raises:
            TooManyFiles: the tree is larger than is looked at.
            DamagedRepository: it cannot be read.
        """
        known = self._parsed.get(oid)
        if known is None:
            try:
                known = parse_tree(self._store.content(b"tree", oid, MOST_BYTES))
            except TooLargeObject as error:
                raise too_many("", MOST_FILES) from error
            self._kept += len(known)
            if self._kept > _MOST_KEPT:
                self._parsed.clear()
                self._kept = len(known)
            self._parsed[oid] = known
        return known

    def node(self, root: str | None, path: str) -> Node | None:
        """Mode and id at a path, None where there is nothing; "" is the root itself."""
        if root is None:
            return None
        here: Node = (FOLDER, root)
        for part in path.split("/") if path else ():
            if here[0] != FOLDER:
                return None
            found = self.entries(here[1]).get(part)
            if found is None:
                return None
            here = found
        return here

    def files(self, root: str | None, prefix: str = "") -> Iterator[Entry]:
        """Regular files below a folder, or the file itself; links and submodules are left out."""
        for path, (mode, oid) in self.leaves(root, prefix):
            if mode in _REGULAR:
                yield Entry(path, oid)

    def leaves(self, root: str | None, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Everything below a folder that is not a folder, in no particular order.

        Folders deeper than a file can be are given as they are, not opened.

        Raises:
            TooManyFiles: there are more than `MOST_FILES`.
        """
        found = self.node(root, prefix)
        if found is None:
            return
        if found[0] != FOLDER:
            yield prefix, found
            return
        stack = [(prefix, found[1])]
        depth = prefix.count("/") + 1 if prefix else 0
        count = WalkCount((None, found[1], depth), _below(self._differing))
        while stack:
            folder, oid = stack.pop()
            entries = self.entries(oid)
            count.take(len(entries))
            is_deepest = folder.count("/") >= DEEPEST
            for name, (mode, child) in entries.items():
                path = f"{folder}/{name}" if folder else name
                if mode == FOLDER and not is_deepest:
                    stack.append((path, child))
                else:
                    yield path, (mode, child)

    def difference(self, old: str | None, new: str | None) -> list[FileChange]:
        """Paths whose entries differ, folders opened only where their trees differ.

        Folders deeper than a file can be are given as they are, not opened.

        Raises:
            TooManyFiles: there are more than `MOST_FILES`.
        """
        return compare_trees(old, new, self._differing)

    def _differing(self, old: str | None, new: str | None) -> TwoTrees:
        left, right = (self.entries(oid) if oid else {} for oid in (old, new))
        gone = {name: node for name, node in left.items() if right.get(name) != node}
        come = {name: node for name, node in right.items() if left.get(name) != node}
        return max(len(left), len(right)), gone, come

    def edit(self, root: str | None, changes: Sequence[Change | Placed]) -> Edit:
        """Apply changes to a tree.

        A file keeps the executable bit that it had. Folders that become empty go.

        Raises:
            BadPath: a path may not stand in a tree, or runs through a file, a link or a submodule.
        """
        outcome = Edit(root=root or EMPTY_TREE)
        wanted: dict[tuple[str, ...], Change | Placed] = {}
        for change in changes:
            wanted[check_path(change.path)] = change
        self._edit_folder("", root, wanted, outcome)
        return outcome

    def _edit_folder(
        self,
        folder: str,
        oid: str | None,
        wanted: Mapping[tuple[str, ...], Change | Placed],
        outcome: Edit,
    ) -> str | None:
        """Edit one folder; returns its new tree, None when it became empty."""
        entries = dict(self.entries(oid)) if oid else {}
        below: dict[str, dict[tuple[str, ...], Change | Placed]] = {}
        here: dict[str, Change | Placed] = {}
        for parts, change in wanted.items():
            if len(parts) > 1:
                below.setdefault(parts[0], {})[parts[1:]] = change
            else:
                here[parts[0]] = change
        # A folder that is empty afterwards may become a file.
        late = [each for each in here if each in below and not _removes(here[each])]
        for name in [each for each in here if each not in late]:
            self._edit_file(entries, name, here[name], outcome)
        for name, inner in below.items():
            old = entries.get(name)
            path = f"{folder}/{name}" if folder else name
            if old is not None and old[0] != FOLDER:
                raise BadPath(f"{path} is not a folder", "nothing was changed")
            new = self._edit_folder(path, old[1] if old else None, inner, outcome)
            if new is None:
                entries.pop(name, None)
            else:
                entries[name] = (FOLDER, new)
        for name in late:
            self._edit_file(entries, name, here[name], outcome)
        data = render_tree(entries)
        new_oid = object_id(b"tree", data)
        outcome.folders[folder] = (oid, new_oid if entries else None)
        if new_oid != oid and (entries or not folder):
            outcome.objects.append((new_oid, b"tree", data))
        if not folder:
            outcome.root = new_oid
        return new_oid if entries else None

    def _edit_file(
        self, entries: dict[str, Node], name: str, change: Change | Placed, outcome: Edit
    ) -> None:
        old = entries.get(name)
        if isinstance(change, Placed):
            outcome.blobs[change.path] = (old, change.node)
            entries[name] = change.node
            return
        if old is not None and old[0] not in _REGULAR and change.mode is None:
            raise BadPath(f"{change.path} is not a regular file", "nothing was changed")
        if change.content is None:
            entries.pop(name, None)
            outcome.blobs[change.path] = (old, None)
            return
        oid = object_id(b"blob", change.content)
        new = (change.mode or (old[0] if old else FILE), oid)
        entries[name] = new
        outcome.blobs[change.path] = (old, new)
        if old != new:
            outcome.objects.append((oid, b"blob", change.content))
