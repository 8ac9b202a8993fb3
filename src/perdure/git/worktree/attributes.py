"""``.gitattributes``, as far as merging asks for it: which files are merged by union."""

from __future__ import annotations

import os
from collections.abc import Callable

from perdure.git.worktree import ignore

_MOST_BYTES = 64 * 1024
"""Of the file that is looked at; a longer one says nothing, and what differs is a conflict."""


def union_paths(data: bytes) -> Callable[[str], bool]:
    """Whether a path has ``merge=union``; the last line about it decides.

    Args:
        data: the root's ``.gitattributes``.
    """
    if len(data) > _MOST_BYTES:
        return lambda _: False
    rules: list[tuple[ignore.Rule, bool]] = []
    for line in data.split(b"\n"):
        words = line.split()
        if len(words) < 2 or words[0].startswith((b"#", b"[", b"!")):
            continue
        values = [word for word in words[1:] if word.lstrip(b"-!").partition(b"=")[0] == b"merge"]
        is_short = len(words[0]) <= ignore.LONGEST_RULE
        rule = ignore.rule(words[0]) if values and is_short else None
        # A pattern that ends in a slash is about folders, and attributes are of files.
        if rule is not None and not rule.is_folder:
            rules.append((rule, values[-1] == b"merge=union"))
    rules.reverse()

    def is_union(path: str) -> bool:
        raw = os.fsencode(path)
        return next((union for rule, union in rules if rule.matches(raw)), False)

    return is_union
