"""What this device agreed to: where backends lead, who is asked in which order, what may be synced.

A sync brings the files of a companion, never its user's consent. So three settings of
companion.yaml count only as they were agreed to on this device: `backends`, `failover_to_hosted`
and `sync`. They are kept, with the digests of confirmed backends, in ``confirmed-backends.json`` of
the repository's state folder, which no clone takes along, and bound to the machine and the folder,
so that a copied one asks anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import CompanionProblem
from perdure.git import disk, leases
from perdure.git.errors import HistoryError, MissingObject, storage_errors
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.store import object_id
from perdure.git.repository.repository import Change, Repository
from perdure.snapshot.files import read_small, read_small_at

if TYPE_CHECKING:
    from perdure.companion.config.settings import CompanionSettings
    from perdure.snapshot.companion import CompanionAt

RECORD_FILE = "confirmed-backends.json"
_SIZE_LIMIT = 1 << 20
_KEPT = 16
"""Former agreements that are remembered: an undo, or another branch, brings one back."""
_SEARCHED = 250
"""Commits that are searched for the one that brought something: who opens a chat waits for it."""
_BACKENDS = "backends"
_KEYS = ("backends", "failover_to_hosted", "sync")


class AgreedSettings(msgspec.Struct, frozen=True):
    """The values that were agreed to on this device."""

    backends: tuple[str, ...] = ()
    failover_to_hosted: bool = False
    sync: str = "off"


class Agreement(msgspec.Struct):
    """The record of one folder.

    Attributes:
        place: the machine and the folder that it is about.
        backends: digests of confirmed destinations by backend.
        met: blob ids of manifests, and of companion.yaml, that stood in the folder when the record
            was begun.
        settings: what was agreed to, the newest last; empty in records of a perdure that asked
            about manifests alone.
    """

    place: tuple[str, int]
    backends: dict[str, list[str]]
    met: list[str]
    settings: list[AgreedSettings] = []


@dataclass(frozen=True, slots=True)
class UnagreedSetting:
    """A setting of companion.yaml that this device has not agreed to.

    Attributes:
        key: the setting.
        there: as companion.yaml has it.
        here: as it was agreed to.
        commit: the one that brought it; None where it was not found among the newest.
        counts: it counts all the same, because nothing can leave by it.
    """

    key: str
    there: object
    here: object
    commit: CommitInfo | None = None
    counts: bool = False

    def __str__(self) -> str:
        here = f"here: {_words(self.here)}"
        return f"{self.key}: {_words(self.there)} ({here}{', until now' if self.counts else ''})"

    @property
    def brought_by(self) -> str:
        """The commit that brought it, in words."""
        return brought_by_words(self.commit, SETTINGS)

    def describe(self) -> list[str]:
        """What the user has to know before agreeing, one sentence a line."""
        return [
            f"companion.yaml has {self.key}: {_words(self.there)}",
            f"On this device it was: {_words(self.here)}",
            f"It came with: {self.brought_by}",
        ]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "setting": self.key,
            "there": self.there,
            "here": self.here,
            "commit": self.commit.id if self.commit else None,
            "author": self.commit.author.name if self.commit else None,
            "date": self.commit.at.isoformat() if self.commit else None,
        }


def brought_by_words(commit: CommitInfo | None, path: str) -> str:
    """The commit that brought a file as it is, in words."""
    if commit is None:
        return f"an older commit (git log -- {path})"
    at = f"{commit.at:%Y-%m-%d %H:%M}"
    return f'commit {commit.id[:10]} of {commit.author.name[:60]}, {at}, "{commit.subject[:60]}"'


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", then ".join(value) or "none"
    return str(value)


# The settings as they count on this device


def as_agreed(repo: Repository, settings: CompanionSettings) -> CompanionSettings:
    """Settings of a tree as they count on this device.

    What forbids something counts at once: an order or a policy only once it was agreed to.
    """
    record = read_agreement(repo)
    if record is None:
        return replace(settings, failover_to_hosted=False, sync="off")
    if not record.settings:
        return settings
    agreed = record.settings[-1]
    return replace(
        settings,
        backends=agreed.backends or settings.backends,
        failover_to_hosted=settings.failover_to_hosted and agreed.failover_to_hosted,
        sync=agreed.sync,  # type: ignore[arg-type]
    )


def companion_here(repo: Repository, rev: str) -> CompanionAt:
    """`read_companion`, with the settings as they count on this device. Raises as that does."""
    from perdure.snapshot.companion import read_companion

    return look_again(repo, read_companion(repo, rev))


def look_again(repo: Repository, companion: CompanionAt) -> CompanionAt:
    """The same companion, with the settings as they count by now."""
    written = companion.as_written or companion.settings
    settings = as_agreed(repo, written)
    return replace(companion, settings=settings, as_written=written)


def unagreed_settings(
    repo: Repository, rev: str, most: int = _SEARCHED
) -> tuple[UnagreedSetting, ...]:
    """What companion.yaml of a commit has that this device has not agreed to.

    Args:
        repo: the repository.
        rev: the commit.
        most: commits that are searched for the ones that brought it.
    """
    settings = _parsed(read_small_at(repo, SETTINGS, rev))
    found = []
    for key, there, here in different_settings(repo, settings) if settings is not None else ():
        commit = bringer(repo, rev, SETTINGS, most, _meaning(key))
        forbids = key == "failover_to_hosted" and not there
        found.append(UnagreedSetting(key, there, here, commit, counts=forbids))
    return tuple(found)


def different_settings(
    repo: Repository, settings: CompanionSettings
) -> tuple[tuple[str, object, object], ...]:
    """Where settings of a tree are not those agreed to: the key, the value there, and here."""
    record = read_agreement(repo)
    if record is not None and not record.settings:
        return ()
    agreed = record.settings[-1] if record is not None else AgreedSettings(settings.backends)
    values = ((key, getattr(settings, key), getattr(agreed, key)) for key in _KEYS)
    return tuple(
        (key, there, here)
        for key, there, here in values
        if there != here and not (key == _BACKENDS and not here)
    )


def unagreed_notice(found: Sequence[UnagreedSetting]) -> str:
    """One sentence for the user, with the next step."""
    came = {each.brought_by: None for each in found}
    waits = any(not each.counts for each in found)
    return " ".join(
        (
            f"{SETTINGS} was changed elsewhere: {'; '.join(map(str, found))}. It came with "
            f"{' and '.join(came)}. {_DOES_NOT_COUNT if waits else _COUNTS}"
        ).split()
    )


_DOES_NOT_COUNT = "Here it does not count until you agree: perdure backend confirm"
_COUNTS = "To agree, or to see what it was: perdure backend confirm"


def _meaning(key: str) -> Callable[[bytes], object]:
    def value(data: bytes) -> object:
        settings = _parsed(data)
        return getattr(settings, key) if settings is not None else None

    return value


def _parsed(data: bytes | None) -> CompanionSettings | None:
    from perdure.companion.config.settings import parse_settings

    with suppress(CompanionProblem):
        return parse_settings(data, read_only=True) if data is not None else None
    return None


# What a human does here is agreed to


def agree_to(repo: Repository, **values: object) -> None:
    """Agree to values of settings, each by its key.

    Raises:
        HistoryError: it cannot be written; what was agreed to before stays so.
    """
    with open_agreement(repo) as record:
        new = msgspec.structs.replace(record.settings[-1], **values)
        if new != record.settings[-1]:
            record.settings[:] = [*record.settings, new][-_KEPT:]


def learn_edit(
    repo: Repository, before: bytes | None, after: bytes | None, *, known: bool = False
) -> None:
    """Take over what an edit of companion.yaml changed, and only that; what cannot be is asked.

    Args:
        repo: the repository.
        before: the file before the edit.
        after: and after it.
        known: take over only what was agreed to on this device at some time.
    """
    old, new, record = _parsed(before), _parsed(after), read_agreement(repo)
    if new is None or record is None or before == after:
        return
    values = {key: getattr(new, key) for key in _KEYS}
    former = [[getattr(each, key) for each in record.settings] for key in _KEYS]
    changed = {
        key: value
        for (key, value), others in zip(values.items(), former, strict=True)
        if (old is None or getattr(old, key) != value) and (not known or value in others)
    }
    if changed:
        with suppress(HistoryError):
            agree_to(repo, **changed)


@contextmanager
def own_step(repo: Repository) -> Iterator[None]:
    """Somebody here goes to another state, by undo, rewind, or to another branch.

    What was agreed to on this device at some time, and stands there, is what counts from then on.
    """
    before = _settings_at_head(repo)
    yield
    learn_edit(repo, before, _settings_at_head(repo), known=True)


def _settings_at_head(repo: Repository) -> bytes | None:
    with suppress(HistoryError, CompanionProblem):
        return read_small_at(repo, SETTINGS) if repo.head().commit is not None else None
    return None


def written_here(repo: Repository, edits: Iterable[Change]) -> list[Change]:
    """Those of uncommitted edits that somebody wrote in this folder.

    Not those whose content git has stored: a merge or a checkout that was cut off left them. Nor
    what lay in the folder when its record was begun.
    """
    record = read_agreement(repo)
    if record is None:
        return []
    found = []
    for change in edits:
        if change.content is not None:
            oid = object_id(b"blob", change.content)
            if oid not in record.met and not _is_stored(repo, oid):
                found.append(change)
    return found


def _is_stored(repo: Repository, oid: str) -> bool:
    try:
        repo.blob(oid)
    except MissingObject:
        return False
    except HistoryError:
        return True
    return True


# Who brought it


def bringer(
    repo: Repository, rev: str, path: str, most: int, meaning: Callable[[bytes], object]
) -> CommitInfo | None:
    """The commit that gave a file what it means, at most ``most`` commits back."""
    known: dict[str, object] = {}

    def at_commit(commit: str) -> object:
        oid = repo.oid(path, commit)
        if oid is None:
            return ""
        if oid not in known:
            with suppress(CompanionProblem):
                known[oid] = meaning(read_small(repo, oid))
        return known.get(oid, "")

    at = repo.resolve(rev)
    wanted = at_commit(at)
    with suppress(HistoryError):  # the end of a shallow clone
        for _ in range(most):
            info = repo.commit_info(at)
            same = next((parent for parent in info.parents if at_commit(parent) == wanted), None)
            if same is None:
                return info
            at = same
    return None


# The record


def begin_agreement(repo: Repository) -> None:
    """Begin a folder's record where it has none: hand edits made after that are the user's own.

    What lies in the folder at this moment may have come with it: its order of backends stands, and
    each of them waits; nothing else in it is agreed to by anything but the user's word. Where
    nothing can be written, nothing is agreed to.
    """
    record = read_agreement(repo)
    if record is None or not record.settings:
        with suppress(HistoryError), open_agreement(repo):
            pass


def read_agreement(repo: Repository) -> Agreement | None:
    """Read the record; None where it is missing or damaged, or was made for another folder."""
    if not repo.state.is_own():
        return None
    try:
        data = disk.read_file(repo.state_dir / RECORD_FILE, most=_SIZE_LIMIT)
        record = msgspec.json.decode(data, type=Agreement)
        return record if record.place == _place(repo) else None
    except (OSError, disk.TooLong, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


@contextmanager
def open_agreement(repo: Repository) -> Iterator[Agreement]:
    """Open the record for a change; it is written when the block ends. Raises HistoryError."""
    repo.state.own()
    with storage_errors("saving which backends are confirmed"):
        lock = disk.KernelLock(repo.state_dir / f"{RECORD_FILE}.lock")
        lock.take(wait=5)
        with lock:
            record = read_agreement(repo)
            settings = _parsed(_settings_at_head(repo))
            if record is None:
                record = Agreement(_place(repo), {}, _met(repo))
                order = settings.backends if settings is not None else ()
                record.settings = [AgreedSettings(order)]
            elif not record.settings:
                values = {key: getattr(settings, key) for key in _KEYS} if settings else {}
                record.settings = [AgreedSettings(**values)]
            yield record
            disk.replace_file(
                repo.state_dir / RECORD_FILE, msgspec.json.encode(record), synced=True
            )


def _place(repo: Repository) -> tuple[str, int]:
    return leases.machine(), repo.git_dir.stat().st_ino


def _met(repo: Repository) -> list[str]:
    met = []
    for path in [*sorted((repo.path / _BACKENDS).glob("*.yaml")), repo.path / SETTINGS]:
        with suppress(OSError):
            if path.is_file() and path.stat().st_size <= _SIZE_LIMIT:
                met.append(object_id(b"blob", path.read_bytes()))
    return met
