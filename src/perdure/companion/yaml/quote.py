"""Write text as a YAML value that every reader reads back as exactly that text."""

from __future__ import annotations

import json
import re

# Begins with a letter and holds nothing that any YAML version gives a meaning.
_PLAIN = re.compile(r"[^\W\d_][\w./-]*(?:[:@+][\w./+-]+| [\w./-]+)*")
_TRUTH = frozenset({"null", "yes", "no", "on", "off", "true", "false", "y", "n"})


def scalar(text: str) -> str:
    """``text`` unquoted if every YAML version reads it back unchanged, else quoted."""
    return text if is_plain(text) and text.lower() not in _TRUTH else quoted(text)


def is_plain(text: str) -> bool:
    """Whether every YAML version reads unquoted ``text`` as one string, unchanged."""
    return bool(_PLAIN.fullmatch(text)) and text.isprintable()


def quoted(text: str) -> str:
    """``text`` in double quotes, read alike by YAML 1.1, YAML 1.2 and JSON.

    Lone surrogates cannot be carried by all three; the caller escapes them first.
    """
    body = json.dumps(text, ensure_ascii=False)
    # Not printable in YAML, or a line break there.
    return re.sub(
        r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]",
        lambda found: f"\\u{ord(found[0]):04x}",
        body,
    )
