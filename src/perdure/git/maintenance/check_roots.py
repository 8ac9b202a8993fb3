"""Where a check begins: refs, reflogs, HEAD and index, and what is odd about them."""

from __future__ import annotations

import contextlib
import re
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from perdure.git.errors import BadPath, DamagedRepository
from perdure.git.index import file as index_file
from perdure.git.packs.keep import INCOMING_PREFIX, SESSION_PREFIX
from perdure.git.refs import table_stack
from perdure.git.refs.refs import HEADS, NO_OID, check_branch, packed_refs
from perdure.plural import plural

FindingKind = Literal["missing", "corrupt", "pack", "ref", "index", "unreachable", "lock", "odd"]
_DAMAGE = frozenset({"missing", "corrupt", "pack", "ref", "index"})
_OID = re.compile(r"[0-9a-f]{40}")
_PSEUDO = ("ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "FETCH_HEAD", "AUTO_MERGE")
_HISTORY_CHANGERS = ("refs/original/", "refs/replace/")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check.

    Attributes:
        kind: what it is about. "unreachable", "lock" and "odd" are no damage.
        what: a clause without a full stop.
        next_step: what can be done about it, may be empty.
        oid: the object in question, "" where it is about none.
    """

    kind: FindingKind
    what: str
    next_step: str = ""
    oid: str = ""

    @property
    def is_damage(self) -> bool:
        """Whether something is lost or cannot be read."""
        return self.kind in _DAMAGE


@dataclass(slots=True)
class Roots:
    """The objects from which everything else is reached, with their names."""

    named: dict[str, str] = field(default_factory=dict)
    commits: set[str] = field(default_factory=set)
    """Those that must be commits: tips of branches."""
    soft: set[str] = field(default_factory=set)
    """Named by reflogs and leftovers of commands: kept if there, no damage if not."""
    findings: list[Finding] = field(default_factory=list)

    def note(self, kind: FindingKind, what: str, next_step: str = "") -> None:
        """Note that something is wrong or odd."""
        self.findings.append(Finding(kind, what, next_step))

    def add(self, oid: str, name: str) -> None:
        """Add an object that must exist."""
        if oid != NO_OID:
            self.named.setdefault(oid, name)


def collect(git_dir: Path) -> Roots:
    """Everything in a repository that names objects, worktrees included."""
    roots = Roots()
    names: dict[str, str] = {}
    in_tables = table_stack.is_in_tables(git_dir)
    for name, value in _all_refs(git_dir):
        _one_ref(git_dir, name, value, roots, names)
    _same_names(names, roots)
    for own in [git_dir, *_worktrees(git_dir)]:
        if in_tables:
            _tables(git_dir, own, roots)
        else:
            _head(git_dir, own, roots)
        _index(own, roots)
        for name in _PSEUDO:
            with contextlib.suppress(OSError):
                roots.soft.update(_OID.findall((own / name).read_text("ascii", "replace")))
        for log in _files(own / "logs"):
            with contextlib.suppress(OSError):
                _reflog(log, roots)
    return roots


def _worktrees(git_dir: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(path for path in (git_dir / "worktrees").iterdir() if path.is_dir())
    return []


def _files(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _tables(git_dir: Path, own: Path, roots: Roots) -> None:
    """What git keeps in tables for one work tree: HEAD, other refs without a folder, reflogs."""
    stack = table_stack.TableStack(own)
    try:
        values = stack.values()
        logs = stack.logs()
    except DamagedRepository as error:
        roots.note("ref", error.what, error.next_step)
        return
    _named_by_head(git_dir, own, values.get(b"HEAD", b"").decode("utf-8", "replace"), roots)
    roots.soft.update(value.decode("ascii") for value in values.values() if len(value) == 40)
    for entry in (entry for entries in logs.values() for entry in entries):
        roots.soft.update({entry.old, entry.new} - {NO_OID})


def _all_refs(git_dir: Path) -> Iterator[tuple[str, str]]:
    if table_stack.is_in_tables(git_dir):
        with contextlib.suppress(DamagedRepository):  # told for the work tree
            for raw, target in table_stack.TableStack(git_dir).values().items():
                if raw.startswith(b"refs/"):
                    yield raw.decode("utf-8", "replace"), target.decode("utf-8", "replace")
        return
    loose: set[str] = set()
    for path in _files(git_dir / "refs"):
        name = path.relative_to(git_dir).as_posix()
        if not name.endswith(".lock"):
            loose.add(name)
            yield name, path.read_text("utf-8", "replace").strip()
    with contextlib.suppress(OSError):
        for line in packed_refs(git_dir / "packed-refs").decode("utf-8", "replace").split("\n"):
            oid, _, name = line.partition(" ")
            if line[:1] not in {"", "#", "^"} and name not in loose:
                yield name, oid


def _one_ref(git_dir: Path, name: str, value: str, roots: Roots, names: dict[str, str]) -> None:
    names[name] = value
    try:
        check_branch(name.removeprefix("refs/"))
    except BadPath:
        roots.note("odd", f"git does not take {name!r} as the name of a ref", "rename or remove it")
    if name.startswith(_HISTORY_CHANGERS):
        roots.note("odd", f"{name} is left of a rewritten history, or changes how it is read")
    if value.startswith("ref: "):
        return
    if _OID.fullmatch(value):
        roots.add(value, name)
        if name.startswith(HEADS):
            roots.commits.add(value)
        return
    log = git_dir / "logs" / name
    step = f"its last id is in {log}" if log.exists() else "remove it, or fetch it anew"
    roots.note("ref", f"{name} does not hold the id of a commit", step)


def _same_names(names: dict[str, str], roots: Roots) -> None:
    """Names that some file systems do not tell apart."""
    plain: dict[str, str] = {}
    for name in names:
        other = plain.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            says = f"{other} and {name} are the same name on macOS and Windows"
            roots.note("odd", says, "rename one of them")


def _head(git_dir: Path, own: Path, roots: Roots) -> None:
    try:
        value = (own / "HEAD").read_text("utf-8", "replace").strip()
    except OSError:
        step = f'write the line "ref: refs/heads/main" to {own / "HEAD"}'
        roots.note("ref", f"{own / 'HEAD'} is missing", step)
        return
    _named_by_head(git_dir, own, value, roots)


def _named_by_head(git_dir: Path, own: Path, value: str, roots: Roots) -> None:
    if _OID.fullmatch(value):
        roots.add(value, "HEAD")
        roots.commits.add(value)
    elif not value.startswith("ref: refs/"):
        says = f"{own / 'HEAD'} names no branch and no commit"
        roots.note("ref", says, "git switch to a branch")
    elif roots.named and value[5:] not in dict(_all_refs(git_dir)):
        says = f"HEAD names {value[5:]}, and there is no such branch"
        roots.note("odd", says, "git switch to a branch")


def _index(own: Path, roots: Roots) -> None:
    try:
        data = (own / "index").read_bytes()
    except OSError:
        return
    try:
        entries = list(index_file.entries(data))
    except index_file.IndexTrouble as error:
        says = f"the index {own / 'index'} is left out: {error}"
        roots.note("index", says, "git reset, which makes it anew from the tip")
        return
    for entry in entries:
        if entry.mode != 0o160000 and not entry.only_intended:
            roots.add(entry.oid, f"the index, {entry.path.decode('utf-8', 'replace')}")


def _reflog(log: Path, roots: Roots) -> None:
    for line in log.read_bytes().split(b"\n"):
        for oid in line[:81].decode("ascii", "replace").split(" "):
            if _OID.fullmatch(oid) and oid != NO_OID:
                roots.soft.add(oid)


def locks(git_dir: Path) -> list[Finding]:
    """Stale lock files and unfinished files, with their age."""
    found: list[Finding] = []
    state = git_dir / "perdure"
    ours = (SESSION_PREFIX, INCOMING_PREFIX)
    for path in _files(git_dir):
        is_lock = path.name.endswith(".lock") and not path.is_relative_to(state)
        is_half = path.name.startswith(("tmp_", *ours)) and path.is_relative_to(git_dir / "objects")
        if not is_lock and not is_half:
            continue
        with contextlib.suppress(OSError):
            age = time.time() - path.stat().st_mtime
            if is_half and age < 3600:
                continue
            step = "if no git command is open, remove it"
            if is_half:
                is_ours = path.name.startswith(ours)
                step = "it goes with the next message" if is_ours else "git prune removes it"
            says = f"{path.relative_to(git_dir)} lies there for {_span(age)}"
            found.append(Finding("lock", says, step))
    return found


def _span(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), name)
    return "less than a minute"
