"""``backends.lock/<device>.yaml``: which model each backend ran when this device last used it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from perdure.companion.yaml import strict
from perdure.companion.yaml.quote import scalar

LOCKS_FOLDER = "backends.lock"
_TOP = "# What each backend ran when it was last seen on this device. Kept by perdure.\n"
_NAMES = ("digest", "quantisation", "template", "adapters", "context_length")


@dataclass(frozen=True, slots=True)
class LockEntry:
    """What one backend ran when it was last used.

    Attributes:
        fingerprint: 16 hex digits.
        details: as far as the backend told them.
        seen: when, in ISO 8601.
        shape: which roles a prompt is sent with, as words; empty: with all.
        without: fields that its server refuses and that are left out.
    """

    fingerprint: str
    details: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    seen: str = ""
    shape: str = ""
    without: tuple[str, ...] = ()


def lock_path(device: str) -> str:
    """The path of a device's lock file; ``device`` is a slug."""
    return f"{LOCKS_FOLDER}/{device}.yaml"


def parse_lock(data: bytes, where: str) -> dict[str, LockEntry]:
    """Read a lock file: its entries by backend name. Entries without a fingerprint are skipped.

    Raises BadFile with file and line where it is no YAML mapping.
    """
    found = {}
    for name, node in strict.read_mapping(data, where).items.items():
        if not isinstance(node, strict.Mapping):
            continue
        values = {
            key: value.text
            for key, value in node.items.items()
            if isinstance(value, strict.Scalar) and not value.absent
        }
        if "fingerprint" in values:
            fingerprint, seen = values.pop("fingerprint"), values.pop("seen", "")
            shape, without = values.pop("shape", ""), values.pop("without", "")
            found[name] = LockEntry(fingerprint, values, seen, shape, tuple(without.split()))
    return found


def render_lock(entries: Mapping[str, LockEntry]) -> bytes:
    """Write a lock file: backends by name, details in a fixed order."""
    lines = [_TOP]
    for name in sorted(entries):
        entry = entries[name]
        lines.append(f"{scalar(name)}:\n  fingerprint: {scalar(entry.fingerprint)}\n")
        order = [*_NAMES, *sorted(set(entry.details) - set(_NAMES))]
        lines += [
            f"  {scalar(key)}: {scalar(entry.details[key])}\n"
            for key in order
            if entry.details.get(key)
        ]
        more = {"shape": entry.shape, "without": " ".join(entry.without), "seen": entry.seen}
        lines += [f"  {key}: {scalar(value)}\n" for key, value in more.items() if value]
    return "".join(lines).encode()
