"""Words for edited files: in the subject of their commit, and to the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.companion.names import title_from
from perdure.companion.persona.findings import mask

_WORDS = 48
"""Characters of changed words in a subject."""
_NAMED = 3
_MARKUP = "#>*-+ \t"
_READ = 1 << 16
"""Characters of a version that are compared: a subject needs the first change only."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One file before and after; None where it does not exist."""

    path: str
    before: bytes | None
    after: bytes | None

    @property
    def name(self) -> str:
        """The path without the folder, which the commit's kind already tells."""
        return self.path.partition("/")[2] or self.path


def edit_subject(edits: Sequence[Edit]) -> str:
    """Which files were changed, and the first words that did: ``20-voice.md: “Speak softly”``."""
    edited, added, removed = _apart(edits)
    parts = [_listed(edited)] if edited else []
    parts += [f"added {_listed(added)}"] if added else []
    parts += [f"removed {_listed(removed)}"] if removed else []
    words = next(filter(None, map(changed_words, [*edited, *added])), "")
    return ", ".join(parts) + (f": {words}" if words else "")


def describe_edits(edits: Sequence[Edit]) -> str:
    """One sentence for the user about edits that were committed."""
    groups = zip(("edit", "addition", "deletion"), _apart(edits), strict=True)
    said = [f"{what} of {_listed(some)}" for what, some in groups if some]
    verb = "was" if len(said) == 1 else "were"
    return f"Your {' and '.join(said)} {verb} committed on its own.".replace(
        "were committed on its own", "were committed on their own"
    )


def _apart(edits: Sequence[Edit]) -> tuple[list[Edit], list[Edit], list[Edit]]:
    """The files that were edited, added and removed."""
    edited = [each for each in edits if each.before is not None and each.after is not None]
    added = [each for each in edits if each.before is None]
    return edited, added, [each for each in edits if each.after is None]


def changed_words(edit: Edit) -> str:
    """The first words that an edit adds, in quotation marks, else those that it takes away.

    "" for what is no text, or has the same words. Nothing in it is a control character or a key.
    """
    old, new = _lines(edit.before), _lines(edit.after)
    if old is None or new is None:
        return ""
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    start = min(len(old), len(new)) if start is None else start
    same_end = 0
    while same_end < min(len(old), len(new)) - start and old[-1 - same_end] == new[-1 - same_end]:
        same_end += 1
    brought = new[start : len(new) - same_end]
    before = old[start] if len(old) - same_end > start else ""
    # A heading says less than what stands below it.
    for wanted in (False, True):
        for number, line in enumerate(brought):
            is_heading = line.startswith("#") or line.strip("-") == ""
            words = _quoted(_from_change(before if number == 0 else "", line))
            if words and is_heading == wanted:
                return words
    gone = (_quoted(line) for line in old[start : len(old) - same_end])
    words = next(filter(None, gone), "")
    return f"without {words}" if words else ""


def _lines(data: bytes | None) -> list[str] | None:
    try:
        return (data or b"").decode("utf-8")[:_READ].splitlines()
    except UnicodeDecodeError:
        return None


def _from_change(before: str, line: str) -> str:
    """A line from its first new word on; the whole line where little stands before that."""
    old, new = before.split(), line.split()
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    same = min(len(old), len(new)) if same is None else same
    if len(" ".join(new[:same])) <= _WORDS // 2 or same == len(new):
        return line
    return f"…{' '.join(new[same:])}"


def _quoted(line: str) -> str:
    words = title_from(mask(line)[0].lstrip(_MARKUP), _WORDS)
    return f"“{words}”" if any(each.isalnum() for each in words) else ""


def _listed(edits: Sequence[Edit]) -> str:
    names = [title_from(each.name, 60) or "a file" for each in edits]
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
    return ", ".join(names)
