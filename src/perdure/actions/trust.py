"""Which backends may be used here: those whose destination the user has agreed to on this machine.

A manifest decides where the conversation and the key go. One that arrived inside commits (a clone,
a pull, a merge) is therefore disabled until it is confirmed. What was agreed to is kept as digests
in the record of `perdure.actions.agreement`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

from perdure.actions.agreement import (
    bringer,
    brought_by_words,
    open_agreement,
    read_agreement,
    written_here,
)
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
from perdure.git.objects.commit import CommitInfo
from perdure.git.repository.repository import Change, Repository
from perdure.snapshot.companion import backend_spec, read_companion
from perdure.snapshot.files import read_small

_KEPT = 64
"""Digests remembered for each name: other branches may have another manifest under it."""
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
        return brought_by_words(self.commit, manifest_path(self.name))

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
    found = bringer(repo, rev, manifest_path(manifest.name), most, _way(manifest.name))
    return Unconfirmed(
        manifest, destination_digest(manifest), destination(spec), hosted, found, problem
    )


def _way(name: str) -> Callable[[bytes], str]:
    """What a manifest means here: where it leads."""
    return lambda data: destination_digest(parse_manifest(data, manifest_path(name)))


def confirm(repo: Repository, agreed: Iterable[Unconfirmed | Manifest]) -> None:
    """Record that the user agreed to these backends as they were shown.

    Raises:
        HistoryError: it cannot be written; nothing more is confirmed than before.
    """
    with open_agreement(repo) as record:
        for each in agreed:
            digest = each.digest if isinstance(each, Unconfirmed) else destination_digest(each)
            known = [old for old in record.backends.get(each.name, []) if old != digest]
            record.backends[each.name] = [*known, digest][-_KEPT:]


def manifests_written_here(repo: Repository, edits: Sequence[Change]) -> list[Manifest]:
    """The manifests among uncommitted edits that the user wrote in this folder.

    Not one that leaves it to the driver to say where the conversation goes, away from this machine.
    Nor an edit of a manifest that still waits to be confirmed: its address may be the stranger's.
    """
    made = []
    for change in written_here(repo, filter(_is_manifest, edits)):
        with suppress(CompanionProblem):
            data = repo.read(change.path)
            before = parse_manifest(data, change.path) if data is not None else None
            manifest = parse_manifest(change.content or b"", change.path)
            if before is not None and not is_confirmed(repo, before):
                continue
            if _names_destination(manifest, before):
                made.append(manifest)
    return made


def _is_manifest(change: Change) -> bool:
    path = Path(change.path)
    return path.parent.name == BACKENDS_FOLDER and path.suffix == ".yaml"


def _names_destination(manifest: Manifest, before: Manifest | None) -> bool:
    """Whether an edit itself names its destination, or that was confirmed before.

    Without an address the conversation goes to the driver's usual one: by an omission it would
    leave this machine.
    """
    if manifest.address or not default_address(manifest.driver).startswith("https://"):
        return True
    return before is not None and not before.address and before.driver == manifest.driver


def _digests(repo: Repository, name: str) -> Sequence[str]:
    record = read_agreement(repo)
    return record.backends.get(name, ()) if record is not None else ()


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
