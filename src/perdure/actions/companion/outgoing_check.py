"""Search what is about to leave this machine: keys in any version of a file, and huge files.

An old commit holds what today's mask would catch, and whoever has the repository has all of it. So
before the first push the whole history is searched, and before each later one what is new. A
version is compared with the one before it at its path, and only what it adds is searched.

What was searched is remembered in ``.git/perdure/state/history-search.json``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from perdure.companion.secrets import MASK, Secret, find_secrets, mask_secrets, search_version
from perdure.git.disk import read_file, replace_file
from perdure.git.errors import DamagedRepository, MissingObject, storage_errors
from perdure.git.objects.commit import CommitInfo
from perdure.git.repository.added_versions import AddedVersion, added_commits, follow_tags
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.snapshot.conversation.trailers import parse_trailers

LARGEST = 50 * 1024 * 1024
"""Bytes of a version above which it is shown: forges warn from there, and refuse at twice that."""
_FILE = "history-search.json"
_MOST_FILE = 8 * 1024 * 1024
_TIPS = 1024
"""Commits that are remembered as searched: branches and tags, and what they were before."""
_LISTED = 200
"""Findings of a kind that are listed; more are counted."""
_SLICE = 1 << 20
_WHITE = (b" ", b"\n", b"\t", b"\r")
_NEAR = 160
"""Bytes beside a change within which a key with white space in it, such as "password is …", may
have begun."""
_FAR = 1280
"""Bytes that a key without white space, or the head of a private key, has at most."""
_ARMOUR = b"-----BEGIN "
_EXCERPT = 60
_OWN_TRAILERS = frozenset({"Turn", "Window", "Fingerprint", "Prompt", "Base", "Tokens"})
"""Trailers that nearly every turn has with another value, as `_OWN_VALUE`: half of all text."""
_OWN_VALUE = re.compile(r"[0-9a-f/+~-]{1,64}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something stands, and since when.

    Attributes:
        place: as in "persona/10-who.md" or "the name of the branch x".
        path: the file; "" where it is in none.
        commit: the oldest commit with it; "" for the name of a branch or tag.
        at: when that was committed.
        turn: the turn that it committed, "" for none.
        is_current: whether a branch still has it, in that file.
    """

    place: str
    path: str = ""
    commit: str = ""
    at: datetime | None = None
    turn: str = ""
    is_current: bool = True

    def describe(self) -> str:
        """As in "in persona/10-who.md, since 3 May 2026"."""
        since = f", since {self.at:%Y-%m-%d}" if self.at else ""
        turn = f" (turn {self.turn})" if self.turn else ""
        past = "" if self.is_current else ", only in older versions"
        return f"in {self.place}{since}{turn}{past}"


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key or password in the history.

    Attributes:
        kind: "key", "password", "private key" and the like.
        origin: where it stands first.
        excerpt: the words before it and the mask in its place.
        digest: of the key itself, by which it is remembered.
    """

    kind: str
    origin: Origin
    excerpt: str
    digest: str


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A version of a file that is very large. It was not searched for keys.

    Attributes:
        size: bytes.
        origin: where it stands first.
        digest: its blob's id.
    """

    size: int
    origin: Origin
    digest: str


@dataclass(frozen=True, slots=True)
class HistoryFindings:
    """What a search of the history found.

    Attributes:
        keys: keys and passwords, each once, in the order in which they came; the first 200.
        files: huge files, likewise.
        more: how many findings are not listed.
        commits: how many commits were searched.
        tips: the commits that the search began from.
    """

    keys: tuple[FoundKey, ...] = ()
    files: tuple[LargeFile, ...] = ()
    more: int = 0
    commits: int = 0
    tips: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that the user has not accepted."""
        return not (self.keys or self.files)

    def describe(self) -> list[str]:
        """One finding a line, keys masked, and what can be done, for the user to read."""
        lines = [f"A {key.kind} {key.origin.describe()}: {key.excerpt}" for key in self.keys]
        lines += [
            f"A file of {file.size / 1e6:,.0f} MB {file.origin.describe()}" for file in self.files
        ]
        if self.more:
            lines.append(f"{self.more:,} more.")
        if self.keys:
            lines.append(
                "A key that stands in the history stays in it, also after you have taken it out of "
                "the file: ask for another one where it came from, and have this one revoked."
            )
            if any(key.origin.is_current for key in self.keys):
                lines.append(
                    "For new prompts and commits, take it out: perdure edit for a message, perdure "
                    "persona edit for the persona, an editor for the rest."
                )
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "keys": [
                {"kind": key.kind, "excerpt": key.excerpt, **_origin_dict(key.origin)}
                for key in self.keys
            ],
            "files": [{"bytes": file.size, **_origin_dict(file.origin)} for file in self.files],
            "more": self.more,
            "commits": self.commits,
        }


def _origin_dict(origin: Origin) -> dict[str, object]:
    return {
        "place": origin.place,
        "file": origin.path or None,
        "commit": origin.commit or None,
        "since": origin.at.isoformat() if origin.at else None,
        "turn": origin.turn or None,
        "current": origin.is_current,
    }


class _Place(msgspec.Struct):
    """What may go to one place: commits, with all they lead to, and findings."""

    searched: list[str] = []
    accepted: list[str] = []


class _Memory(msgspec.Struct):
    """The state file: by which shapes was searched, and what may go anywhere, or to one place."""

    shapes: str = ""
    searched: list[str] = []
    accepted: list[str] = []
    places: dict[str, _Place] = {}


def search_history(
    repo: Repository,
    tips: Mapping[str, str],
    *,
    place: str,
    there: Collection[str] = (),
    known: Collection[str] = (),
    progress: Progress | None = None,
) -> HistoryFindings:
    """Search everything that some refs lead to and that was not searched before.

    Where nothing is found, that is remembered, and the next search begins from there. What was
    accepted (`accept`) for a place is not found again for it. Interrupted, it leaves nothing.

    Args:
        repo: the repository.
        tips: the refs that would leave, id by full name.
        place: the address that it is to go to.
        there: commits and tags that it has: what they lead to is not searched.
        known: keys that this process has loaded, which are found whatever their shape.
        progress: called with how many commits were searched, and how many there are.

    Raises:
        DamagedRepository: an object is missing or broken.
        TooManyFiles: a commit has more files than are looked at.
        ReadOnly, StorageFull, WriteFailed: what was searched cannot be remembered.
    """
    memory = _remembered(repo)
    may_go = memory.places.get(place, _Place())
    search = _Search(repo, known, frozenset({*memory.accepted, *may_go.accepted}))
    commits = search.refs(tips)
    gone = {follow_tags(repo, oid).commit for oid in there if _is_here(repo, oid)} - {None}
    known_tips = (*memory.searched, *may_go.searched, *gone)
    begun = [oid for oid in known_tips if oid and _is_here(repo, oid)]
    count = 0
    for new in added_commits(repo, commits, begun, progress):
        count += 1
        search.commit(new.info, new.versions)
    found = search.findings(commits, count)
    if found.is_clean and not set(commits) <= {*memory.searched, *may_go.searched}:
        for_all = not (gone or may_go.searched or may_go.accepted)
        _remember(repo, commits, (), "" if for_all else place)
    return found


def accept(repo: Repository, findings: HistoryFindings, place: str) -> None:
    """Remember that findings are no keys, or may go to a place: they are not found for it again.

    Raises:
        ReadOnly, StorageFull, WriteFailed: it cannot be remembered.
    """
    digests = [key.digest for key in findings.keys] + [file.digest for file in findings.files]
    # What is not listed has been seen by nobody.
    _remember(repo, () if findings.more else findings.tips, digests, place)


def _remembered(repo: Repository) -> _Memory:
    if not repo.state.is_own():
        return _Memory()
    try:
        data = read_file(repo.state_dir / _FILE, most=_MOST_FILE)
        memory = msgspec.json.decode(data, type=_Memory)
    except (OSError, msgspec.MsgspecError):
        return _Memory()
    if memory.shapes != search_version():
        memory.searched = []
        for each in memory.places.values():
            each.searched = []
    return memory


def _remember(repo: Repository, tips: Sequence[str], accepted: Sequence[str], place: str) -> None:
    """Note down what may go to a place; "" for all of them."""
    repo.state.own()
    memory = _remembered(repo)
    memory.shapes = search_version()
    may_go: _Memory | _Place = memory.places.setdefault(place, _Place()) if place else memory
    may_go.searched = list(dict.fromkeys([*tips, *may_go.searched]))[:_TIPS]
    may_go.accepted = list(dict.fromkeys([*may_go.accepted, *accepted]))
    with storage_errors("remembering what was searched"):
        replace_file(repo.state_dir / _FILE, msgspec.json.encode(memory), synced=False)


def _is_here(repo: Repository, oid: str) -> bool:
    try:
        return repo.size(oid) >= 0
    except MissingObject:
        return False


@dataclass(slots=True)
class _Search:
    """One search, and what it has found so far."""

    repo: Repository
    known: Collection[str]
    accepted: frozenset[str]
    keys: dict[str, tuple[FoundKey, bytes]] = field(default_factory=dict)
    files: dict[str, LargeFile] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def refs(self, tips: Mapping[str, str]) -> list[str]:
        """Search names, the notes of tags, and files that tags name; returns the commits."""
        commits: dict[str, None] = {}
        for name, oid in tips.items():
            short = mask_secrets(name)[0].removeprefix("refs/heads/").removeprefix("refs/tags/")
            kind = "tag" if name.startswith("refs/tags/") else "branch"
            self._text(name, Origin(f"the name of the {kind} {short}"))
            tip = follow_tags(self.repo, oid)
            for message in tip.messages:
                self._text(message, Origin(f"the note of the tag {short}"))
            for version in tip.versions:
                self._version(version, Origin(f"the file that the tag {short} names"))
            if tip.commit is not None:
                commits[tip.commit] = None
        return list(commits)

    def commit(self, info: CommitInfo, versions: Sequence[AddedVersion]) -> None:
        """Search a commit's message, its authors, and the versions that it brings."""
        facts = parse_trailers(info.trailers)
        origin = Origin("", "", info.id, info.at, str(facts.turn) if facts is not None else "")
        message = replace(origin, place="the message of a commit")
        # Most of a turn's trailers are the same as those of the turn before.
        self._once(f"{info.subject}\n{info.body}", message)
        for key, value in info.trailers:
            if key not in _OWN_TRAILERS or not _OWN_VALUE.fullmatch(value):
                self._once(f"{key}: {value}", message)
        for who in (info.author, info.committer):
            self._once(f"{who.name} <{who.email}>", replace(origin, place="a commit's author"))
        for version in versions:
            inside = replace(origin, place=version.path, path=version.path)
            self._once(version.path, replace(inside, place="the name of a file", path=""))
            self._version(version, inside)

    def findings(self, tips: Sequence[str], commits: int) -> HistoryFindings:
        """What was found, with whether it is still there."""
        keys = [
            replace(key, origin=self._aged(key.origin, tips, text))
            for key, text in self.keys.values()
        ]
        files = [
            replace(file, origin=self._aged(file.origin, tips, file.digest))
            for file in self.files.values()
        ]
        return HistoryFindings(tuple(keys), tuple(files), len(self.more), commits, tuple(tips))

    def _aged(self, origin: Origin, tips: Sequence[str], what: bytes | str) -> Origin:
        """An origin that says whether a tip still has a key, or a blob, in the file."""
        if not origin.path:
            return origin
        origin = replace(origin, place=mask_secrets(origin.place)[0])
        oids = {self.repo.oid(origin.path, tip) for tip in tips} - {None}
        is_there = what in oids or (
            isinstance(what, bytes) and any(what in self._content(oid) for oid in oids if oid)
        )
        return replace(origin, is_current=is_there)

    def _content(self, oid: str | None) -> bytes:
        """A version's content; nothing where it is too large, or no file."""
        try:
            return self.repo.blob(oid, most=LARGEST) if oid else b""
        except (DamagedRepository, MissingObject):
            return b""

    def _version(self, version: AddedVersion, origin: Origin) -> None:
        if version.oid in self.seen:
            return
        self.seen.add(version.oid)
        if version.size > LARGEST:
            if version.oid not in self.accepted:
                self.files[version.oid] = LargeFile(version.size, origin, version.oid)
            return
        data = self.repo.blob(version.oid, most=LARGEST)
        added = _added(self._content(version.before), data, max(map(len, self.known), default=0))
        # What is at the edge of a change may look like a key where the whole file shows it is none.
        if any(True for text in _texts(added) for _ in find_secrets(text, self.known)):
            for text in _texts(data):
                self._text(text, origin)

    def _once(self, text: str, origin: Origin) -> None:
        if text not in self.seen:
            self.seen.add(text)
            self._text(text, origin)

    def _text(self, text: str, origin: Origin) -> None:
        for secret in find_secrets(text, self.known):
            key = text[secret.start : secret.end].encode("utf-8", "surrogatepass")
            digest = hashlib.sha256(b"perdure key " + key).hexdigest()
            if digest in self.accepted or digest in self.keys:
                continue
            if len(self.keys) >= _LISTED:
                self.more.add(digest)
                continue
            found = FoundKey(secret.kind, origin, _excerpt(text, secret), digest)
            self.keys[digest] = found, key


def _excerpt(text: str, secret: Secret) -> str:
    """The words before a key, on one line, with the letters that all of its kind begin with."""
    line = text[: secret.start].rpartition("\n")[2]
    words = "".join(each if each.isprintable() else " " for each in mask_secrets(line)[0])
    before = words if len(words) <= _EXCERPT else f"…{words[-_EXCERPT:]}"
    return f"{before.lstrip()}{secret.head.strip()}{MASK}"


def _texts(data: bytes) -> Iterator[str]:
    """A file as text, in pieces that overlap by more than a key is long."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        yield data.decode("utf-16", "replace")
        return
    for start in range(0, max(len(data), 1), _SLICE):
        yield data[max(0, start - _FAR) : start + _SLICE].decode("utf-8", "replace")


def _added(before: bytes, data: bytes, longest: int) -> bytes:
    """What a version has that the one before it has not, with as much beside it as a key may need.

    Args:
        before: the older version; empty for none.
        data: the newer one.
        longest: characters of the longest key that is known by its letters alone.
    """
    if not before or data[:1] in {b"\xff", b"\xfe"}:
        return data
    start = _in_common(before, data)
    most = min(len(before), len(data)) - start
    stop = len(data) - _in_common(before[::-1][:most], data[::-1][:most])
    return data[_reach_back(data, start, 4 * longest) : _reach_on(data, stop, 4 * longest)]


def _in_common(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _reach_back(data: bytes, at: int, least: int) -> int:
    """Where to begin so that no key that goes on at a place is missed."""
    near, far = max(0, at - max(_NEAR, least)), max(0, at - max(_FAR, least))
    gap = max(data.rfind(white, far, near) for white in _WHITE)
    armour = data.rfind(_ARMOUR, far, at)
    begin = gap + 1 if gap >= 0 else far
    return min(begin, armour) if armour >= 0 else begin


def _reach_on(data: bytes, at: int, least: int) -> int:
    """Where to end so that no key that begins before a place is missed."""
    near, far = at + max(_NEAR, least), at + max(_FAR, least)
    if data.find(_ARMOUR, max(0, at - _FAR), near) >= 0:
        return far
    return min(
        (found for white in _WHITE if (found := data.find(white, near, far)) >= 0), default=far
    )
