"""Findings of the persona check, and the texts it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from perdure.companion.secrets import MASK, mask_secrets

Severity = Literal["problem", "advice"]
Kind = Literal["prompt", "reminder", "greeting", "example"]

# What `perdure.companion.secrets` has no shape for: a password inside an address, a private key.
_PASSWORD = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_QUOTED = 40

CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: .*)?$", re.MULTILINE)
"""A mark that a merge leaves in a file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the check.

    Attributes:
        severity: ``problem``: something does not work as it is written. ``advice``: it works, and
            may not be what was meant.
        code: a short name for scripts, the same in every version.
        path: the file.
        line: from 1; 0 where the whole file is meant.
        what: a sentence without a full stop.
        next_step: what to do about it.
    """

    severity: Severity
    code: str
    path: str
    line: int
    what: str
    next_step: str

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "severity": self.severity,
            "code": self.code,
            "path": self.path,
            "line": self.line or None,
            "what": self.what,
            "next_step": self.next_step,
        }


@dataclass(frozen=True, slots=True)
class PersonaText:
    """One file that the model reads: no front matter, keys masked, names not filled in."""

    path: str
    kind: Kind
    text: str
    first_line: int
    """The line of the file that ``text`` begins with."""


@dataclass(frozen=True, slots=True)
class PersonaTexts:
    """Everything the text checks need."""

    name: str
    user: str
    texts: tuple[PersonaText, ...]
    files: Mapping[str, bytes]


def mask(text: str) -> tuple[str, int]:
    """The text with keys and passwords masked, and how many there were. Lines keep their place."""
    masked, count = mask_secrets(text)
    masked, passwords = _PASSWORD.subn(MASK, masked)
    masked, blocks = _PRIVATE_KEY.subn(MASK, masked)
    return masked, count + passwords + blocks


def mask_finding(finding: Finding) -> Finding:
    """The finding with every secret masked."""
    return replace(
        finding,
        path=mask(finding.path)[0],
        what=mask(finding.what)[0],
        next_step=mask(finding.next_step)[0],
    )


def quote(text: str) -> str:
    """A few words of a text on one line. `mask` the text first."""
    words = " ".join(text.split())
    return words if len(words) <= _QUOTED else f"{words[: _QUOTED - 1]}…"
