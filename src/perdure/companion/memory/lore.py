"""``lore/*.md``: background that enters a prompt when it comes up in conversation.

A file an entry: front matter with its keys, below it the text that is inserted. The names of the
front matter's keys are those of the card formats (``character_book``) where they have one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from perdure.companion.errors import BadFile, FileTrouble
from perdure.companion.memory.lore_patterns import (
    BadPattern,
    compile_pattern,
    is_written_as_pattern,
)
from perdure.companion.yaml import schema, strict
from perdure.companion.yaml.fast import read_front_matter, read_simple, split_front_matter
from perdure.companion.yaml.quote import scalar

if TYPE_CHECKING:
    from perdure.companion.config.settings import Setting

LORE_FOLDER = "lore"
KEYS_LIMIT = 500
FRONT_LIMIT = 65_536
"""Characters of a front matter: larger ones take the YAML library seconds to read."""
SLOW_LIMIT = 1024 * 1024
"""Bytes of all front matters that are not as perdure writes them: the library reads them."""
_KEPT_LIMIT = 64 * 1024
"""Bytes of a file above which what was read is not kept for the next time."""
_CONFLICT = re.compile(r"^(?:<{7}|>{7}|\|{7})(?:[ \r].*)?$", re.MULTILINE)

Position = Literal["before", "after"] | int
Logic = Literal["and_any", "and_all", "not_any", "not_all"]


@dataclass(frozen=True, slots=True)
class LoreEntry:
    """One lore entry, with its names not yet filled in.

    Attributes:
        path: its file.
        keys: any of them in the conversation triggers the entry.
        text: what is inserted.
        secondary_keys: what else must, or must not, be in the conversation.
        secondary_logic: one of them (``and_any``), all of them (``and_all``), none of them
            (``not_any``), not all of them (``not_all``).
        regex: keys written ``/expression/flags`` are regular expressions.
        case_sensitive: capitals count.
        whole_words: a key is found as whole words only, in scripts that put spaces between words.
        constant: always in, whatever is spoken of.
        enabled: False: never in.
        priority: the lowest is left out first where there is no room for all.
        order: lower stands earlier.
        position: before or after the persona, or so many messages before the prompt's end.
        scan_depth: how many messages are searched for keys; None: as companion.yaml says.
        exclude_recursion: the text of other entries does not trigger this one.
        prevent_recursion: this one's text triggers no others.
        probability: percent; counts only where companion.yaml says ``lore.probability: yes``.
        title: its name for people; never in a prompt.
    """

    path: str
    keys: tuple[str, ...] = ()
    text: str = ""
    secondary_keys: tuple[str, ...] = ()
    secondary_logic: Logic = "and_any"
    regex: bool = False
    case_sensitive: bool = False
    whole_words: bool = True
    constant: bool = False
    enabled: bool = True
    priority: int = 0
    order: int = 100
    position: Position = "after"
    scan_depth: int | None = None
    exclude_recursion: bool = False
    prevent_recursion: bool = False
    probability: int = 100
    title: str = ""

    @property
    def name(self) -> str:
        """The file name without ``.md``."""
        return PurePosixPath(self.path).stem


_Number = Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)]


class _Front(msgspec.Struct):
    title: str = ""
    keys: str | list[str] = []
    secondary_keys: str | list[str] = []
    secondary_logic: Logic = "and_any"
    regex: bool = False
    case_sensitive: bool = False
    whole_words: bool = True
    constant: bool = False
    enabled: bool = True
    priority: _Number = 0
    order: _Number = 100
    position: str = "after"
    scan_depth: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    exclude_recursion: bool = False
    prevent_recursion: bool = False
    probability: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100


def read_lore(files: Mapping[str, bytes]) -> tuple[tuple[LoreEntry, ...], tuple[FileTrouble, ...]]:
    """Read the files in ``lore/``, keyed by path; others are ignored.

    Returns:
        The entries by path, and what is wrong: a file that cannot be read is left out, and so is
        one in a merge conflict; an entry with a broken key lacks that key.
    """
    entries: list[LoreEntry] = []
    troubles: list[FileTrouble] = []
    slow = 0
    for path in sorted(files):
        if not is_lore(path):
            continue
        data = files[path]
        cost = _slow(data)
        if cost and slow + cost > SLOW_LIMIT:
            troubles.append(
                FileTrouble(
                    path, 1, "all front matter together is too large; this file is left out"
                )
            )
            continue
        slow += cost
        entry, wrong = (_read_once if len(data) < _KEPT_LIMIT else _read)(path, data)
        if entry is not None:
            entries.append(entry)
        troubles.extend(wrong)
    return tuple(entries), tuple(troubles)


def _slow(data: bytes) -> int:
    """The size of a front matter that only the YAML library can read; 0 if perdure wrote it."""
    end = data.find(b"\n---\n", 3) if data.startswith(b"---\n") else -1
    if end < 0:
        return 0
    front = data[4:end].decode("utf-8", "replace").split("\n")
    return 0 if read_simple(front, 2) else end


def is_lore(path: str) -> bool:
    """Whether a path is a lore entry: directly in ``lore/``, ``.md``, not hidden."""
    where = PurePosixPath(path)
    return (
        str(where.parent) == LORE_FOLDER
        and where.suffix == ".md"
        and not where.name.startswith(".")
    )


def _read(path: str, data: bytes) -> tuple[LoreEntry | None, tuple[FileTrouble, ...]]:
    troubles: list[FileTrouble] = []
    try:
        return read_entry(data, path, troubles), tuple(troubles)
    except BadFile as error:
        return None, (FileTrouble(path, error.line, f"{error.problem}; it is left out of prompts"),)


# The library that reads YAML takes a millisecond a file, and every turn needs all of them.
_read_once = lru_cache(maxsize=4096)(_read)


def read_entry(data: bytes, path: str, troubles: list[FileTrouble] | None = None) -> LoreEntry:
    """Read one file. ``troubles`` collects problems that leave the entry usable.

    Raises:
        BadFile: not UTF-8, above 1 MiB, a merge conflict, a front matter that cannot be read.
    """
    troubles = [] if troubles is None else troubles
    text = strict.decode(data, path)
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise BadFile(
            path,
            line,
            "a merge conflict marker",
            next_step="keep the lines you want and delete the markers",
        )
    node, body = _split(text, path)
    front = schema.convert(node, _Front, path)
    for trouble in schema.unknown_keys(node, _Front):
        # Imports keep what they cannot express here under names of their own.
        if "did you mean" in trouble.what:
            troubles.append(FileTrouble(path, trouble.line, trouble.what))
    values: dict[str, Any] = msgspec.structs.asdict(front)
    values["keys"] = _keys(node, "keys", front, path, troubles)
    values["secondary_keys"] = _keys(node, "secondary_keys", front, path, troubles)
    values["position"] = _position(front.position, node, path)
    entry = LoreEntry(path=path, text=body.rstrip(), **values)
    if not entry.text:
        troubles.append(FileTrouble(path, 0, "it has no text"))
    if not (entry.keys or entry.constant or "keys" in node.items):
        troubles.append(
            FileTrouble(path, 0, "it has no keys and is not constant, so it never enters a prompt")
        )
    return entry


def _split(text: str, path: str) -> tuple[strict.Mapping, str]:
    """Split front matter from text. Raises BadFile."""
    if not text.startswith("---\n"):
        return strict.Mapping({}, {}, 1), text
    lines = text.split("\n")
    front, start = split_front_matter(lines)
    if not start:
        raise BadFile(path, 1, "the front matter has no closing '---' line")
    if sum(len(line) + 1 for line in front) + len("---") > FRONT_LIMIT:
        raise BadFile(path, 1, f"the front matter has more than {FRONT_LIMIT} characters")
    return read_front_matter(front, path), "\n".join(lines[start:]).lstrip("\n")


def _keys(
    node: strict.Mapping, name: str, front: _Front, path: str, troubles: list[FileTrouble]
) -> tuple[str, ...]:
    """The keys without empty ones; broken expressions are reported and left out."""
    value: str | list[str] = getattr(front, name)
    there = node.items.get(name)
    line = node.lines.get(name, 0)
    if isinstance(there, strict.Sequence):
        found = [(key, item.line) for key, item in zip(value, there.items, strict=True)]
    else:
        # One text, with commas: so people type them into the programs that lorebooks come from.
        text = value if isinstance(value, str) else ""
        found = [(key, line) for key in ([text] if front.regex else text.split(","))]
    if len(found) > KEYS_LIMIT:
        raise BadFile(path, line, f"{name}: more than {KEYS_LIMIT}")
    kept: dict[str, None] = {}
    for typed, place in found:
        key = typed.strip()
        if front.regex and is_written_as_pattern(key):
            try:
                compile_pattern(key, ignore_case=not front.case_sensitive)
            except BadPattern as error:
                troubles.append(
                    FileTrouble(path, place, f"{key}: {error}; this key matches nothing")
                )
                continue
        if key:
            kept[key] = None
    return tuple(kept)


def _position(text: str, node: strict.Mapping, path: str) -> Position:
    if text in {"before", "after"}:
        return "before" if text == "before" else "after"
    if re.fullmatch(r"[0-9]{1,4}", text):
        return int(text)
    raise BadFile(
        path,
        node.lines["position"],
        f"position: expected before, after or a number of messages, not '{text}'",
    )


def render_entry(entry: LoreEntry) -> bytes:
    """Write an entry's file without what equals a default. It reads back as the same entry.

    Raises:
        BadFile: no file says this, as with a conflict's mark in the text.
    """
    lines = []
    for key, value in _as_front(entry).items():
        match value:
            case list():
                lines += [f"{key}:", *(f"  - {scalar(item)}" for item in value)]
            case bool():
                lines.append(f"{key}: {'yes' if value else 'no'}")
            case _:
                lines.append(f"{key}: {scalar(value) if isinstance(value, str) else value}")
    return _file(lines, entry)


def edit_entry(data: bytes, entry: LoreEntry) -> bytes:
    """The file changed to say ``entry``; comments, order and unknown keys stay.

    Raises:
        BadFile: the file as it is cannot be read, or no file says this.
    """
    from perdure.companion.config.settings import edit_settings

    before, after = _as_front(read_entry(data, entry.path)), _as_front(entry)
    changes = {
        key: after.get(key) for key in _Front.__struct_fields__ if before.get(key) != after.get(key)
    }
    front, _ = split_front_matter(strict.decode(data, entry.path).split("\n"))
    if changes:
        edited = edit_settings("\n".join(front).encode(), changes, entry.path).decode()
        front = [line for line in edited.rstrip("\n").split("\n") if line != "{}"]
    return _file(front, entry)


_BLANK = LoreEntry("")


def _as_front(entry: LoreEntry) -> dict[str, Setting]:
    """The front matter for an entry, without defaults."""
    front: dict[str, Setting] = {}
    for name in _Front.__struct_fields__:
        value = getattr(entry, name)
        if value != getattr(_BLANK, name):
            front[name] = list(value) if isinstance(value, tuple) else value
    return front


def _file(front: Sequence[str], entry: LoreEntry) -> bytes:
    """Put a file together. It is never written unless it reads back."""
    text = "\n".join(["---", *front, "---", "", entry.text.rstrip(), ""])
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise BadFile(entry.path, line, "half of a character, which no file can contain") from error
    read_entry(data, entry.path)
    return data
