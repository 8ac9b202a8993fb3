"""Persona files that are skipped, unreadable, or hold something they should not."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath

from perdure.companion.errors import BadFile
from perdure.companion.persona.findings import (
    CONFLICT,
    Finding,
    Kind,
    PersonaText,
    PersonaTexts,
    mask,
    quote,
)
from perdure.companion.persona.persona import (
    BOUNDARIES,
    EXAMPLES,
    GREETINGS,
    PERSONA_FOLDER,
    PUT_BACK,
    REMINDER,
    read_persona,
    split_front,
)
from perdure.companion.yaml import strict
from perdure.stray_files import is_scratch_file

LONG_LINE = 2000
"""Characters; a paragraph of a persona is rarely half as long."""
_DUPLICATE = 60
"""Characters of a paragraph, CJK ones counted twice, from which a second one is worth a word."""

_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_ZERO_WIDTH = "\u00ad\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\u180e"
# England's, Scotland's and Wales's flags are made of tags behind a black flag.
_TAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+|(?P<tag>[\U000e0000-\U000e007f]+)")
_FOLDERS = {PERSONA_FOLDER: PERSONA_FOLDER, GREETINGS: "greetings", EXAMPLES: "examples"}


def name_collisions(paths: Iterable[str]) -> Iterator[Finding]:
    """Files whose names differ only in case or accent encoding, so some disks confuse them."""
    known: dict[str, str] = {}
    for path in sorted(paths):
        other = known.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path:
            what = f"the same file as {quote(other)} on macOS and Windows"
            yield Finding("problem", "collision", path, 0, what, "rename one of them")


def read_texts(files: Mapping[str, bytes]) -> tuple[list[PersonaText], list[Finding]]:
    """The texts that a model reads, and the files that cannot be read."""
    texts: list[PersonaText] = []
    troubles: list[Finding] = []
    for path in sorted(files):
        kind = kind_of(path)
        if kind is None:
            continue
        try:
            whole = mask(strict.decode(files[path], path))[0]
            read_persona({path: whole.encode()})  # a reminder's depth, too
            text = split_front(whole, path)[1]
        except BadFile as trouble:
            fix = trouble.next_step or "correct it; no prompt can be made from it"
            troubles.append(
                Finding("problem", "unreadable", path, trouble.line, trouble.problem, fix)
            )
            continue
        first = whole.count("\n") - text.count("\n") + 1
        texts.append(PersonaText(path, kind, text.rstrip(), first))
    return texts, troubles


def kind_of(path: str) -> Kind | None:
    """A file's part in the persona; None if it has none."""
    where = PurePosixPath(path)
    if where.suffix != ".md" or where.name.startswith("."):
        return None
    if path == REMINDER:
        return "reminder"
    kinds: dict[str, Kind] = {PERSONA_FOLDER: "prompt", GREETINGS: "greeting", EXAMPLES: "example"}
    return kinds.get(str(where.parent))


def file_findings(persona: PersonaTexts) -> Iterator[Finding]:
    """Files that are empty, skipped, in conflict, or hold invisible characters."""
    for path in sorted(persona.files):
        if kind_of(path) is None and (finding := _passed_over(path)):
            yield finding
    for text in persona.texts:
        yield from _text_findings(text)
    yield from _left_out(persona)
    yield from _boundaries(persona)
    yield from _duplicates(persona)


def _left_out(persona: PersonaTexts) -> Iterator[Finding]:
    for path in sorted(persona.files):
        with suppress(BadFile):  # that is a finding of its own
            for each in read_persona({path: persona.files[path]}).left_out:
                yield Finding("advice", "left-out", path, each.line, each.what, PUT_BACK)


def secret_findings(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Lines with a key or a password. The secret itself is never repeated."""
    for path in sorted(files):
        text = files[path].decode("utf-8", "replace")
        if not mask(text)[1]:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if mask(line)[1]:
                yield Finding(
                    "problem",
                    "secret",
                    path,
                    number,
                    "this line contains what looks like a key or a password; the model reads it, "
                    "and it goes wherever this repository goes",
                    "remove it, and replace the key where it came from: git keeps old versions",
                )


def _passed_over(path: str) -> Finding | None:
    """Why a file in persona/ is skipped; None if nobody would expect it to be read."""
    where = PurePosixPath(path)
    name, folder = where.name, str(where.parent)
    is_hidden = name.startswith(".") and name.endswith(".md")
    if is_scratch_file(name) and (not is_hidden or name.startswith(("._", ".#"))):
        return None  # .gitkeep, .DS_Store, what an editor or macOS keeps beside a file
    if name.startswith("."):
        why, fix = "a hidden file", "rename it without the dot"
    elif where.suffix != ".md":
        if where.suffix.lower() == ".md":
            why, fix = f"it ends in {where.suffix}", f"rename it to {where.stem}.md"
        else:
            why, fix = "only files that end in .md are read", "rename it, or move it elsewhere"
    else:
        near = difflib.get_close_matches(folder.casefold(), list(_FOLDERS), n=1, cutoff=0.7)
        why = f"files in {folder}/ are not part of the persona"
        fix = f"move it to {near[0]}/" if near else f"move it to {PERSONA_FOLDER}/"
    return Finding("advice", "not-read", path, 0, f"not read: {why}", fix)


def _text_findings(text: PersonaText) -> Iterator[Finding]:
    path, first = text.path, text.first_line
    if not text.text.strip():
        what = "the file is empty and is left out"
        yield Finding("advice", "empty", path, 0, what, "write something in it, or delete it")
        return
    if found := CONFLICT.search(text.text):
        number = first + text.text.count("\n", 0, found.start())
        yield Finding(
            "problem",
            "conflict",
            path,
            number,
            "merge conflict markers",
            "keep one side and delete the markers; perdure merge helps",
        )
    if text.text.startswith("---\n") and first == 1:
        what = "the front matter is not closed, so all of it is read as text"
        yield Finding("advice", "front-matter", path, 1, what, "close it with a line of ---")
    yield from _unseen(text)
    for number, line in enumerate(text.text.split("\n"), first):
        if len(line) > LONG_LINE:
            what = (
                f"a line of {len(line):,} characters, in which changes are hard to see and to merge"
            )
            yield Finding("advice", "long-line", path, number, what, "break it into paragraphs")
            break
    if text.kind == "prompt" and path.casefold() == REMINDER:
        what = "it is read as part of the persona, not as the reminder"
        yield Finding("advice", "case", path, 0, what, f"rename it to {REMINDER}")


def _unseen(text: PersonaText) -> Iterator[Finding]:
    """Characters that the model reads but you cannot see."""
    tags = next((found for found in _TAGS.finditer(text.text) if found["tag"]), None)
    bidi = re.search(f"[{_BIDI}]", text.text)
    other = next(
        (index for index, char in enumerate(text.text) if char in _ZERO_WIDTH or _is_control(char)),
        None,
    )
    for place, code, what in (
        (tags.start("tag") if tags else None, "unseen", "invisible tag characters"),
        (bidi.start() if bidi else None, "bidi", "characters that change the direction of text"),
        (other, "unseen", "invisible characters"),
    ):
        if place is None:
            continue
        line = text.first_line + text.text.count("\n", 0, place)
        point = f"U+{ord(text.text[place]):04X}"
        yield Finding(
            "advice" if place == other else "problem",
            code,
            text.path,
            line,
            f"{what} ({point}): the model reads something you cannot see",
            "retype the line",
        )


def _is_control(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in ("Cc", "Co", "Cn")


def _boundaries(persona: PersonaTexts) -> Iterator[Finding]:
    said = [text for text in persona.texts if text.kind == "prompt" and text.text.strip()]
    if any(text.path.endswith(BOUNDARIES) for text in said):
        return
    meant = next((path for path in persona.files if path.casefold().endswith(BOUNDARIES)), "")
    if meant:
        yield Finding(
            "advice",
            "boundaries",
            meant,
            0,
            "it does not count as boundaries: it is empty, is not read, or its name is not "
            "all lower-case",
            f"give it text and a name in {PERSONA_FOLDER}/ that ends in {BOUNDARIES}",
        )
        return
    yield Finding(
        "advice",
        "boundaries",
        PERSONA_FOLDER,
        0,
        "no boundaries: nothing says what the companion should do when things get serious",
        "perdure persona add-boundaries",
    )


def _duplicates(persona: PersonaTexts) -> Iterator[Finding]:
    """Repeated paragraphs; a reminder may repeat on purpose."""
    seen: dict[str, tuple[str, int]] = {}
    for text in persona.texts:
        if text.kind == "reminder":
            continue
        line = text.first_line
        for paragraph in re.split(r"(\n\s*\n)", text.text):
            key = " ".join(paragraph.split()).casefold()
            if sum(1 + (char > "\u2e7f") for char in key) >= _DUPLICATE:
                if key in seen:
                    path, other = seen[key]
                    what = f"“{quote(paragraph)}” is also in {path}, line {other}"
                    fix = "keep one of the two"
                    yield Finding("advice", "twice", text.path, line, what, fix)
                else:
                    seen[key] = (text.path, line)
            line += paragraph.count("\n")
