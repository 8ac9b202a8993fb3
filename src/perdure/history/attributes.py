"""``.gitattributes``, as far as merging asks for it: which files are merged by union."""

from __future__ import annotations

import re


def union_paths(text: str) -> re.Pattern[str]:
    """A pattern that matches the paths with ``merge=union``; the last line about a path decides.

    Args:
        text: the root's ``.gitattributes``.
    """
    alternatives: list[str] = []
    for line in text.split("\n"):
        words = line.split()
        if len(words) < 2 or words[0].startswith(("#", "[")):
            continue
        values = [word for word in words[1:] if word.lstrip("-!").partition("=")[0] == "merge"]
        if not values:
            continue
        pattern = _regex(words[0])
        if values[-1] == "merge=union":
            alternatives.append(pattern)
        else:
            alternatives = [f"(?!{pattern}\\Z)(?:{other})" for other in alternatives]
    return re.compile("|".join(alternatives) if alternatives else r"(?!)")


def _regex(glob: str) -> str:
    anchored = "/" in glob.rstrip("/")
    glob = glob.removeprefix("/")
    out = "" if anchored else "(?:.*/)?"
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            out, at = f"{out}(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = f"{out}.*", at + 2
        elif glob[at] == "*":
            out, at = f"{out}[^/]*", at + 1
        elif glob[at] == "?":
            out, at = f"{out}[^/]", at + 1
        else:
            out, at = out + re.escape(glob[at]), at + 1
    return out
