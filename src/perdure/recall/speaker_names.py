"""The names of speakers, as a question says them.

A name at the beginning of a message addresses someone and asks for nothing. And where a question is
compared by meaning, a name draws it to what was said *to* its bearer, whose own messages do not
name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from perdure.recall.language.words import is_cjk, normal, words_of

_STOPS = r"[,!:;…\-\u2013\u2014\uff0c\u3001\uff01\uff1a~]"


def name_parts(names: Iterable[str]) -> list[str]:
    """Names and parts of them, as written, the longest first."""
    found: set[str] = set()
    for name in names:
        plain = " ".join(normal(name).split())
        found |= {plain, *(part for part in plain.split() if part[:1].isupper())}
    kept = [name for name in found if len(name) > 1 and words_of(name)]
    return sorted(kept, key=lambda name: (-len(name), name))


def without_address(text: str, names: Iterable[str]) -> str:
    """A message without the form of address: "Mira, do you remember …", "… right, Mira?"."""
    parts = name_parts(names)
    if not parts:
        return text
    name = "|".join(map(re.escape, parts))
    rest = re.sub(rf"^\W*(?:\w+\s+)?(?:{name})\s*{_STOPS}+\s*", "", text, flags=re.IGNORECASE)
    rest = re.sub(rf"[,\uff0c\u3001]\s*(?:{name})(?=\W*$)", "", rest, flags=re.IGNORECASE)
    return rest if words_of(rest) else text


def without_names(text: str, names: Iterable[str]) -> str:
    """A question without names; as it is where nothing else would be left."""
    rest = text
    for name in name_parts(names):
        plain = re.escape(name)
        if not is_cjk(name):
            plain = rf"(?<!\w){plain}(?:['\u2019]s?)?(?!\w)"
        rest = re.sub(plain, "", rest)
    return " ".join(rest.split()) if words_of(rest) else text
