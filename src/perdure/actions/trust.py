"""Which backends may be used here: those whose destination the user has agreed to on this machine.

A manifest decides where the conversation and the key go. One that arrived inside commits (a clone,
a pull, a merge) is therefore disabled until it is confirmed. What was agreed to is kept as digests
in ``confirmed-backends.json`` of the repository's state folder, which no clone takes along, and
bound to the machine and the folder, so that a copied one asks anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

import msgspec

from perdure.backends.destination import default_address, destination
from perdure.backends.drivers import make_backend
from perdure.backends.errors import BackendError
from perdure.backends.protocol import BackendSpec
from perdure.backends.store.catalogue import CATALOGUE
from perdure.companion.config.manifest import (
    BACKENDS_FOLDER,
    Manifest,
    check_keys,
    manifest_path,
    parse_manifest,
)
from perdure.companion.errors import CompanionProblem
from perdure.git import disk, leases
from perdure.git.errors import HistoryError, MissingObject, storage_errors
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.store import object_id
from perdure.git.repository.repository import Change, Repository
from perdure.snapshot.companion import backend_spec, read_companion
from perdure.snapshot.files import read_small

RECORD_FILE = "confirmed-backends.json"
_KEPT = 64
"""Digests remembered for each name: other branches may have another manifest under it."""
_SIZE_LIMIT = 1 << 20
_SEARCHED = 250
"""Commits that are searched for the one that brought a manifest: who opens a chat waits for it."""
# How a model is asked, not where the conversation and the key go. A field that is not named here
# counts.
_HARMLESS = {"name", "context_window", "parameters", "shape", "troubles"}
_HARMLESS |= {"connect_timeout", "timeout"}


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A backend that waits to be confirmed, as the user is shown it.

    ``host`` is where the conversation would go, empty for a model inside perdure; ``commit``
    brought the manifest as it is, None where it was not found among the newest.
    """

    manifest: Manifest
    digest: str
    host: str
    hosted: bool
    commit: CommitInfo | None = None
    problem: str = ""
    """Why it could not be used even if it were confirmed."""

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def leads_to(self) -> str:
        """Where the conversation would go, in words."""
        if not self.host:
            return f"the file {self.manifest.model} on this machine"
        return f"{self.host}, away from this machine" if self.hosted else f"{self.host} (here)"

    @property
    def brought_by(self) -> str:
        """The commit that brought the manifest, in words."""
        if self.commit is None:
            return f"an older commit (git log -- {manifest_path(self.name)})"
        info = self.commit
        at = f"{info.at:%Y-%m-%d %H:%M}"
        return f'commit {info.id[:10]} of {info.author.name}, {at}, "{info.subject[:60]}"'

    @property
    def _why(self) -> str:
        by_default = self.host and not self.manifest.address
        return "names no address" if by_default else "came from outside"

    @property
    def notice(self) -> str:
        """One sentence for the user, with the next step."""
        key = f" with the key {self.manifest.key}" if self.manifest.key else ""
        return " ".join(
            (
                f"The backend {self.name} {self._why} and is not used until you confirm it: "
                f"{self.manifest.driver}, {self.manifest.model}. Conversations would go to "
                f"{self.leads_to}{key}. It came with {self.brought_by}. To allow it: perdure "
                f"backend confirm {self.name}"
            ).split()
        )


class _Record(msgspec.Struct):
    place: tuple[str, int]
    backends: dict[str, list[str]]
    met: list[str]
    """Blob ids of manifests that stood in the folder when the record was begun."""


def destination_digest(manifest: Manifest) -> str:
    """A digest of all that decides where the conversation and the key go."""
    plain = Manifest("", "", "")
    stated = {
        each.name: getattr(manifest, each.name)
        for each in fields(manifest)
        if each.name not in _HARMLESS and getattr(manifest, each.name) != getattr(plain, each.name)
    }
    text = json.dumps(stated, sort_keys=True, default=str)
    return hashlib.sha256(b"perdure backend " + text.encode()).hexdigest()[:32]


def needs_no_consent(manifest: Manifest) -> bool:
    """Whether nothing can leave by it: a model that perdure itself fetches and checks."""
    inside = manifest.driver == "embedded" and manifest.model in CATALOGUE
    return inside and not manifest.address and not manifest.key


def is_confirmed(repo: Repository, manifest: Manifest) -> bool:
    """Whether a manifest may be used as it is, in this folder on this machine."""
    return needs_no_consent(manifest) or destination_digest(manifest) in _digests(
        repo, manifest.name
    )


def usable_spec(repo: Repository, manifest: Manifest) -> BackendSpec:
    """What a driver needs of a manifest; disabled unless confirmed.

    Raises:
        BadFile: it has a key that means nothing.
    """
    check_keys(manifest)
    spec = backend_spec(manifest)
    if is_confirmed(repo, manifest):
        return spec
    way = f", which leads to {host}," if (host := destination(spec)) else ""
    why = "came from outside and" if manifest.address or not way else "names no address and"
    message = (
        f"{manifest.name}{way} {why} is not confirmed: perdure backend confirm {manifest.name}"
    )
    return replace(spec, disabled=message)


def unconfirmed_backends(
    repo: Repository, rev: str, names: Iterable[str] | None = None, most: int = _SEARCHED
) -> list[Unconfirmed]:
    """The backends of ``rev`` that wait to be confirmed, by name.

    Manifests that cannot be read are left out: nothing can be sent through them. ``names`` limits
    it to these; who brought one is looked for in ``most`` commits, about 1 ms each.
    """
    wanted = None if names is None else set(names)
    found = []
    for entry in repo.files(BACKENDS_FOLDER, rev):
        path = Path(entry.path)
        if path.suffix != ".yaml" or (wanted is not None and path.stem not in wanted):
            continue
        with suppress(CompanionProblem):
            manifest = parse_manifest(read_small(repo, entry.oid), entry.path)
            check_keys(manifest)
            if not is_confirmed(repo, manifest):
                found.append(_waiting(repo, rev, manifest, most))
    return found


def _waiting(repo: Repository, rev: str, manifest: Manifest, most: int) -> Unconfirmed:
    spec, problem = backend_spec(manifest), ""
    try:
        hosted = make_backend(spec).hosted
    except BackendError as error:
        hosted, problem = True, str(error)
    bringer = _bringer(repo, rev, manifest_path(manifest.name), most)
    return Unconfirmed(
        manifest, destination_digest(manifest), destination(spec), hosted, bringer, problem
    )


def _bringer(repo: Repository, rev: str, path: str, most: int) -> CommitInfo | None:
    """The commit that gave a manifest its destination, at most ``most`` commits back."""
    ways: dict[str, str] = {}

    def way(commit: str) -> str:
        oid = repo.oid(path, commit)
        if oid is None:
            return ""
        if oid not in ways:
            with suppress(CompanionProblem):
                ways[oid] = destination_digest(parse_manifest(read_small(repo, oid), path))
        return ways.get(oid, "")

    at = repo.resolve(rev)
    now = way(at)
    with suppress(HistoryError):  # the end of a shallow clone
        for _ in range(most):
            info = repo.commit_info(at)
            same = next((parent for parent in info.parents if way(parent) == now), None)
            if same is None:
                return info
            at = same
    return None


def confirm(repo: Repository, agreed: Iterable[Unconfirmed | Manifest]) -> None:
    """Record that the user agreed to these backends as they were shown.

    Raises:
        HistoryError: it cannot be written; nothing more is confirmed than before.
    """
    with _record(repo) as record:
        for each in agreed:
            digest = each.digest if isinstance(each, Unconfirmed) else destination_digest(each)
            known = [old for old in record.backends.get(each.name, []) if old != digest]
            record.backends[each.name] = [*known, digest][-_KEPT:]


def begin_record(repo: Repository) -> None:
    """Begin a folder's record where it has none: hand edits made after that are the user's own.

    What lies in the folder at this moment may have come with it, and is confirmed by nothing that
    happens later but the user's word. Where nothing can be written, nothing is confirmed.
    """
    if _read(repo) is None:
        with suppress(HistoryError), _record(repo):
            pass


def written_here(repo: Repository, edits: Sequence[Change]) -> list[Manifest]:
    """The manifests among uncommitted edits that the user wrote in this folder.

    Not one that leaves it to the driver to say where the conversation goes, away from this machine.
    Not those whose content git has stored: a merge or a checkout that was cut off left them. Nor
    an edit of a manifest that still waits to be confirmed: its address may be the stranger's.
    """
    record = _read(repo)
    if record is None:
        return []
    made = []
    for change in edits:
        path = Path(change.path)
        if path.parent.name != BACKENDS_FOLDER or path.suffix != ".yaml" or change.content is None:
            continue
        oid = object_id(b"blob", change.content)
        if oid in record.met or _stored(repo, oid):
            continue
        with suppress(CompanionProblem):
            data = repo.read(change.path)
            before = parse_manifest(data, change.path) if data is not None else None
            manifest = parse_manifest(change.content, change.path)
            if before is not None and not is_confirmed(repo, before):
                continue
            if _names_destination(manifest, before):
                made.append(manifest)
    return made


def _names_destination(manifest: Manifest, before: Manifest | None) -> bool:
    """Whether an edit itself names its destination, or that was confirmed before.

    Without an address the conversation goes to the driver's usual one: by an omission it would
    leave this machine.
    """
    if manifest.address or not default_address(manifest.driver).startswith("https://"):
        return True
    return before is not None and not before.address and before.driver == manifest.driver


def _stored(repo: Repository, oid: str) -> bool:
    try:
        repo.blob(oid)
    except MissingObject:
        return False
    except HistoryError:
        return True
    return True


def _digests(repo: Repository, name: str) -> Sequence[str]:
    record = _read(repo)
    return record.backends.get(name, ()) if record is not None else ()


def _place(repo: Repository) -> tuple[str, int]:
    return leases.machine(), repo.git_dir.stat().st_ino


def _read(repo: Repository) -> _Record | None:
    """Read the record; None where it is missing or damaged, or was made for another folder."""
    if not repo.state.is_own():
        return None
    try:
        data = disk.read_file(repo.state_dir / RECORD_FILE, most=_SIZE_LIMIT)
        record = msgspec.json.decode(data, type=_Record)
        return record if record.place == _place(repo) else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@contextmanager
def _record(repo: Repository) -> Iterator[_Record]:
    """Open the record for a change; it is written when the block ends. Raises HistoryError."""
    repo.state.own()
    with storage_errors("saving which backends are confirmed"):
        lock = disk.KernelLock(repo.state_dir / f"{RECORD_FILE}.lock")
        lock.take(wait=5)
        with lock:
            record = _read(repo) or _Record(_place(repo), {}, _manifests_in_folder(repo.path))
            yield record
            disk.replace_file(
                repo.state_dir / RECORD_FILE, msgspec.json.encode(record), synced=True
            )


def _manifests_in_folder(work: Path) -> list[str]:
    met = []
    for path in sorted((work / BACKENDS_FOLDER).glob("*.yaml")):
        with suppress(OSError):
            if path.is_file() and path.stat().st_size <= _SIZE_LIMIT:
                met.append(object_id(b"blob", path.read_bytes()))
    return met


def in_use_first(repo: Repository) -> list[Unconfirmed]:
    """All backends of the last commit that wait to be confirmed, those in use first.

    Raises:
        HistoryError, CompanionProblem: the companion cannot be read.
    """
    tip = repo.resolve("HEAD")
    order = {name: at for at, name in enumerate(read_companion(repo, tip).settings.backends)}
    found = unconfirmed_backends(repo, tip)
    return sorted(found, key=lambda each: (order.get(each.name, len(order)), each.name))


def in_use(repo: Repository) -> list[Unconfirmed]:
    """Those that companion.yaml lists, and that a turn would ask."""
    tip = repo.resolve("HEAD")
    return unconfirmed_backends(repo, tip, read_companion(repo, tip).settings.backends)


def describe(each: Unconfirmed) -> list[str]:
    """What the user has to know before agreeing, one sentence a line."""
    manifest = each.manifest
    key = f"the key {manifest.key}" if manifest.key else "no key"
    lines = [
        f"The backend {each.name} came from outside and is not used until you confirm it.",
        f"It uses: {manifest.driver}, {manifest.model}",
        f"Conversations would go to: {each.leads_to}",
        f"With this key: {key}",
        f"It came with: {each.brought_by}",
    ]
    if each.problem:
        lines.append(f"Even then it could not be used: {each.problem}")
    return lines
