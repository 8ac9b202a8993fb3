"""The persona: Markdown files with the system prompt, greetings, sample dialogue and reminder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from perdure.companion.errors import BadFile, FileTrouble
from perdure.companion.yaml import strict
from perdure.companion.yaml.fast import split_front_matter

PERSONA_FOLDER = "persona"
GREETINGS = "persona/greetings"
EXAMPLES = "persona/examples"
REMINDER = "persona/reminder.md"
BOUNDARIES = "boundaries.md"
REMINDER_DEPTH = 4
FRONTS_LIMIT = 1024 * 1024
"""Bytes of all files that have a front matter: reading YAML takes long."""

PUT_BACK = "put an empty line above the first rule if she should have it"
"""What to do about text that is left out."""
_NAMED = 3
_HEADING = re.compile(r"^# +(.+?)(?: +#+)?$", re.MULTILINE)
_NAME = re.compile(r"\{\{ *(char|user) *\}\}", re.IGNORECASE)
# The card formats' upper-case forms; lower-case ones are tags that people write in prompts.
_CARD_NAME = {"<BOT>": "{{char}}", "<USER>": "{{user}}"}
_SAID = re.compile(r"(?:\{\{ *(char|user) *\}\}|<(BOT|USER)>) *[:\uff1a] ?", re.IGNORECASE)
_BLOCK_END = re.compile(r"-{3,}|<START>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PersonaFile:
    """One part of the system prompt, names not yet filled in."""

    path: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Greeting:
    """An opening message; the first greeting is used, the others are alternatives."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class ExampleLine:
    """One speaker's words in sample dialogue."""

    by_user: bool
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """One sample dialogue; a file may hold several."""

    path: str
    lines: tuple[ExampleLine, ...]


@dataclass(frozen=True, slots=True)
class Reminder:
    """Instructions repeated ``depth`` messages before the end of the prompt."""

    path: str
    text: str
    depth: int = REMINDER_DEPTH


@dataclass(frozen=True, slots=True)
class Persona:
    """Who a companion is in one tree. Empty files are left out."""

    files: tuple[PersonaFile, ...] = ()
    greetings: tuple[Greeting, ...] = ()
    examples: tuple[Example, ...] = ()
    reminder: Reminder | None = None
    boundaries: bool = False
    """Whether a file called ``…boundaries.md`` is there and says something."""
    left_out: tuple[FileTrouble, ...] = ()
    """Text between two rules at the top of a file, which counts as front matter and means nothing
    to the program: it may be notes of another program, or meant to be read."""


def read_persona(files: Mapping[str, bytes]) -> Persona:
    """Read the files in ``persona/``, keyed by path; others are ignored.

    Order is that of the file names, code point by code point. Files that do not end in ``.md``,
    hidden ones and ones in other folders are no part of the persona.

    Raises:
        BadFile: a file is not UTF-8 or its front matter cannot be read; names file and line.
    """
    parts: list[PersonaFile] = []
    left_out: list[FileTrouble] = []
    greetings: list[Greeting] = []
    examples: list[Example] = []
    reminder, fronts = None, 0
    for path in sorted(files):
        where = PurePosixPath(path)
        if where.suffix != ".md" or where.name.startswith("."):
            continue
        folder = str(where.parent)
        if folder not in {PERSONA_FOLDER, GREETINGS, EXAMPLES}:
            continue
        front, text = _read(files[path], path)
        left_out += _left_out(front, path)
        fronts += len(files[path]) if front.lines else 0
        if fronts > FRONTS_LIMIT:
            raise BadFile(
                path, 1, f"files with front matter have more than {FRONTS_LIMIT:,} bytes together"
            )
        if not text.strip():
            continue
        if path == REMINDER:
            reminder = Reminder(path, text, _depth(front, path))
        elif folder == GREETINGS:
            greetings.append(Greeting(path, text))
        elif folder == EXAMPLES:
            examples.extend(Example(path, lines) for lines in read_examples(text))
        else:
            parts.append(PersonaFile(path, _title(where.stem, text), text))
    return Persona(
        files=tuple(parts),
        greetings=tuple(greetings),
        examples=tuple(examples),
        reminder=reminder,
        boundaries=any(part.path.endswith(BOUNDARIES) for part in parts),
        left_out=tuple(left_out),
    )


def fill(text: str, *, char: str, user: str) -> str:
    """Replace ``{{char}}`` and ``{{user}}`` (any case), ``<BOT>`` and ``<USER>`` by names.

    In one pass: a name that holds such a mark stays as it is. Other ``{{…}}`` stay too.
    """
    if "{{" not in text and "<" not in text:
        return text

    def name(found: re.Match[str]) -> str:
        key = found[1] or _CARD_NAME[found[0]].strip("{}")
        return char if key.lower() == "char" else user

    return re.sub(rf"(?i:{_NAME.pattern})|<BOT>|<USER>", name, text)


def read_examples(text: str) -> list[tuple[ExampleLine, ...]]:
    """Sample dialogues: blocks separated by ``---`` (or ``<START>``), lines ``{{user}}: …``.

    A line without a name goes on what was said before it; before the first name it is said by
    the companion.
    """
    dialogues: list[tuple[ExampleLine, ...]] = []
    said: list[tuple[bool, list[str]]] = []
    for line in [*text.split("\n"), "---"]:
        if _BLOCK_END.fullmatch(line.strip()):
            lines = [ExampleLine(who, "\n".join(body).strip()) for who, body in said]
            kept = tuple(line for line in lines if line.text)
            if kept:
                dialogues.append(kept)
            said = []
            continue
        found = _SAID.match(line)
        if found:
            by_user = (found[1] or found[2]).lower() == "user"
            said.append((by_user, [line[found.end() :]]))
        elif said:
            said[-1][1].append(line)
        elif line.strip():
            said.append((False, [line]))
    return dialogues


def split_front(text: str, where: str) -> tuple[strict.Mapping, str]:
    """Split front matter from text; notes programs add one to any file.

    It is there only if the first line is ``---`` and a later one closes it. Raises BadFile.
    """
    lines = text.split("\n")
    front, start = split_front_matter(lines)
    if not start:
        return strict.Mapping({}, {}, 1), text
    node = strict.read_mapping("\n".join(front), where, first_line=2)
    return node, "\n".join(lines[start:]).lstrip("\n")


def _read(data: bytes, path: str) -> tuple[strict.Mapping, str]:
    front, text = split_front(strict.decode(data, path), path)
    return front, text.rstrip()


def _left_out(front: strict.Mapping, path: str) -> list[FileTrouble]:
    """Front matter that means nothing to perdure, on one line; "" if there is none."""
    known = {"depth"} if path == REMINDER else set()
    keys = [key for key in front.items if key not in known]
    if not keys:
        return []
    named = ", ".join(keys[:_NAMED]) + (", …" if len(keys) > _NAMED else "")
    what = f"it is between two rules (---) and is left out of the prompt: {named}"
    return [FileTrouble(path, front.lines[keys[0]], what)]


def _title(stem: str, text: str) -> str:
    found = _HEADING.search(text)
    return found[1] if found else stem.lstrip("0123456789-_. ").replace("-", " ") or stem


def _depth(front: strict.Mapping, path: str) -> int:
    node = front.items.get("depth")
    if node is None:
        return REMINDER_DEPTH
    if isinstance(node, strict.Scalar):
        if node.absent:
            return REMINDER_DEPTH
        if re.fullmatch(r"[0-9]{1,4}", node.text):
            return int(node.text)
    raise BadFile(path, node.line, "depth must be a number of messages, 0 or more")
