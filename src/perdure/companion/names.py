"""Names of companions and users, and the folder names, addresses and titles made from them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import count

from perdure.companion.errors import BadName

NAME_LIMIT = 60
TITLE_LIMIT = 60

# Formatting characters that hold emoji and some scripts together; the other ones are invisible.
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


def check_name(name: str) -> str:
    """A companion's or user's name, trimmed. Raises BadName.

    Raises BadName for an empty or over-long name, and for path, control or invisible characters.
    """
    name = normalised(name)
    if not name:
        raise BadName("the name is empty", next_step="choose one, for example: Mira")
    if len(name) > NAME_LIMIT:
        raise BadName(f"the name has {len(name)} characters; at most {NAME_LIMIT} are allowed")
    for character in name:
        if character in "/\\":
            raise BadName(
                f"a name cannot contain '{character}'",
                next_step="give just a name; to choose the folder, use --at",
            )
        if not _is_visible(character):
            raise BadName(f"a name cannot contain the character U+{ord(character):04X}")
    if not name.strip("."):
        raise BadName(f"'{name}' is a path, not a name")
    return name


def normalised(name: str) -> str:
    """A name, trimmed, in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def _is_visible(character: str) -> bool:
    if character in _JOINERS:
        return True
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def slug(name: str) -> str:
    """A folder name for any name: lower-case letters and digits of any script, joined by ``-``.

    Never empty, never a path, the same on file systems that compose or fold case: NFKC, casefolded.
    Letters of other scripts stay (``小雨``), since a folder of dashes would tell nobody apart; a
    name without any letter becomes its code points in hexadecimal.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    kept = "".join(c if _is_word(c) else "-" for c in folded)
    words = [word for word in kept.split("-") if word]
    text = "-".join(words)
    if not text:
        text = "-".join(f"{ord(c):x}" for c in name.strip()[:8]) or "companion"
    while len(text.encode()) > 100:
        text = text[:-1]
    return unicodedata.normalize("NFC", text.rstrip("-"))


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def numbered(name: str) -> Iterator[str]:
    """The name, then it with ``-2``, ``-3`` and so on, for the first that is free."""
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def companion_email(folder: str) -> str:
    """The address that marks a companion's commits; ``.invalid`` never receives mail."""
    return f"{folder}@companion.invalid"


_ORDER = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
"""A terminal's control sequence: without its first character the rest would stand as words."""


def title_from(text: str, limit: int = TITLE_LIMIT) -> str:
    """A title from a message: its first line with words, at most ``limit`` characters.

    Cut at a space where there is one, and never between a letter and its marks. "" for no words.
    """
    for line in _ORDER.sub("", text).splitlines():
        words = " ".join("".join(c if _is_visible(c) else " " for c in line).split())
        if words:
            return words if len(words) <= limit else _cut(words, limit - 1) + "…"
    return ""


def _cut(words: str, length: int) -> str:
    end = length
    while end > 0 and _joins(words, end):
        end -= 1
    space = words.rfind(" ", 0, end + 1)
    if space > length // 2:
        end = space
    return words[:end].rstrip(" ,;:.-\u2013\u2014")


def _joins(words: str, end: int) -> bool:
    """Whether a cut before ``words[end]`` would split a letter from its marks, or an emoji."""
    return (
        unicodedata.category(words[end])[0] == "M"
        or words[end] in _JOINERS
        or words[end - 1] == "\u200d"
        or "\U0001f3fb" <= words[end] <= "\U0001f3ff"
    )
