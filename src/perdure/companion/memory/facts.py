"""``memory/facts/*.md``: lasting facts, one topic a file, one fact a line.

A line is ``- <fact> ([<source>](<path>)) `mark` `mark```, and the lines of a file are a set: two
versions merge by union. So everything here works on single lines. What is no such line is kept and
reported, never rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, get_args

from perdure.companion.conversation.escape import unescape
from perdure.companion.errors import BadFact, BadFile, FileTrouble
from perdure.companion.ids import TurnId
from perdure.companion.names import slug
from perdure.companion.yaml.fast import split_front_matter

FACTS_FOLDER = "memory/facts"
MOST_CHARACTERS = 2_000
"""Of one fact. A longer line is reported, and no fact."""
FACTS_FILE_LIMIT = 1024 * 1024
"""Of one file. A larger one is reported, and not read."""

IMPORT = "import:"
"""What a source begins with that is an import."""

Trust = Literal["user", "companion", "imported"]
TRUSTS: tuple[Trust, ...] = get_args(Trust)
"""The most trusted first."""

_BULLET = re.compile(r" {0,3}[-*+](?:[ \t]+(.*))?")
_NO_FACT = re.compile(r"\s*|#{1,6}(?:\s.*)?|\s*<!--.*-->\s*|-{3,}|\*{3,}|_{3,}|={3,}")
_RULE = re.compile(r"-{3,}|\*{3,}")
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: .*)?")
_MARKS = frozenset({"pinned", "reviewed", *TRUSTS})
_SOURCE = re.compile(
    r"\((?:\[(?P<label>[^][()\s]*)\]\((?P<link>[^()\s]*)\)|(?P<bare>[^][()\s]*))\)"
)
_IMPORT = re.compile(r"import:[0-9a-f]{7,64}")
_LOOKS_LIKE_SOURCE = re.compile(r"import:.*|\d{4}-\d{2}-\d{2}-\d{4}\b.*")
# Line ends, what turns a line around or is seen by nobody, white space at either end, and what
# would be taken for a reference when it is read again.
_NOT_AS_IT_IS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff"
    r"\ud800-\udfff]|&(?=#x[0-9A-Fa-f]{1,6};)|^\s|\s\Z"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that she knows.

    Attributes:
        topic: name of its file without ``.md``.
        text: one line, as it stands in a prompt.
        source: the turn that taught it, ``import:<sha>``, or "".
        trust: who vouches for it.
        pinned: it comes before all others.
        reviewed: the user let it in although it came from elsewhere and looks like an instruction.
        path: the file; "" for a fact that is in none yet.
        line: its line there, from 1.
        link: where the source's link leads, as it is written.
    """

    topic: str
    text: str
    source: str
    trust: Trust
    pinned: bool = False
    reviewed: bool = False
    path: str = ""
    line: int = 0
    link: str = ""

    @property
    def turn(self) -> TurnId | None:
        """The turn that taught it, if one did."""
        return TurnId.read(self.source)


def facts_path(topic: str) -> str:
    """The path of a topic's file."""
    return f"{FACTS_FOLDER}/{topic}.md"


def topic_name(text: str) -> str:
    """A topic's file name: ``People I know`` becomes ``people-i-know``. Raises BadFact."""
    name = text.strip().removesuffix(".md")
    if not any(character.isalnum() for character in name):
        raise BadFact(
            f"{text!r} cannot be a topic",
            kept="nothing was changed",
            next_step="use a word, such as: people",
        )
    return slug(name)


def fact_text(text: str) -> str:
    """``text`` on one line, with each run of white space as one space.

    Raises:
        BadFact: nothing is left, or it is longer than `MOST_CHARACTERS`.
    """
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
    if not line:
        raise BadFact("a fact needs words", kept="nothing was changed")
    if len(line) > MOST_CHARACTERS:
        raise BadFact(
            f"a fact may have {MOST_CHARACTERS:,} characters; this one has {len(line):,}",
            kept="nothing was changed",
            next_step="split it into several facts",
        )
    return line


def default_trust(source: str) -> Trust:
    """Who vouches for a fact whose line does not say so."""
    if not source:
        return "user"
    return "imported" if source.startswith(IMPORT) else "companion"


def is_source(text: str) -> bool:
    """Whether a text is a turn id or ``import:<sha>``."""
    return bool(_IMPORT.fullmatch(text)) or TurnId.read(text) is not None


def escape_line(text: str) -> str:
    """A text for one line, with nothing in it that ends the line or looks like its tail.

    `split_tail` and `unescape` give it back, byte for byte.
    """
    line = _NOT_AS_IT_IS.sub(lambda found: f"&#x{ord(found[0]):X};", text)
    if _mark_at_end(line) or _source_at_end(line):
        line = f"{line[:-1]}&#x{ord(line[-1]):X};"
    return line


# Both look back from the end: a search from the front tries every space of every line.
def _mark_at_end(line: str) -> str:
    """The mark at the end of a line, or ""."""
    if not line.endswith("`"):
        return ""
    start = line.rfind("`", 0, -1)
    is_apart = start == 0 or (start > 0 and line[start - 1].isspace())
    return line[start + 1 : -1] if is_apart and line[start + 1 : -1] in _MARKS else ""


def _source_at_end(line: str) -> re.Match[str] | None:
    """What is in a source's place and looks like one, valid or not."""
    if not line.endswith(")"):
        return None
    start = line.rfind("([") if line.endswith("))") else line.rfind("(")
    if start < 0 or (start and not line[start - 1].isspace()):
        return None
    found = _SOURCE.fullmatch(line, start)
    return found if found and _LOOKS_LIKE_SOURCE.fullmatch(_label(found)) else None


def _label(found: re.Match[str]) -> str:
    label: str = found["label"] if found["label"] is not None else found["bare"]
    return label


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows the text of a line. ``source`` may be malformed."""

    source: str = ""
    link: str = ""
    marks: frozenset[str] = frozenset()


def split_tail(line: str) -> tuple[str, Tail]:
    """A line's text, still escaped, and its tail, whose parts may come in any order."""
    source = link = ""
    marks: set[str] = set()
    line = line.rstrip()
    while True:
        if mark := _mark_at_end(line):
            marks.add(mark)
            line = line[: -len(mark) - 2].rstrip()
        elif not source and (found := _source_at_end(line)) is not None:
            source, link = _label(found), found["link"] or ""
            line = line[: found.start()].rstrip()
        else:
            break
    return line, Tail(source, link, frozenset(marks))


def render_line(fact: Fact, chunk_path: str = "") -> str:
    """Write a fact's line, without a line end.

    Args:
        fact: the fact; its path and line do not matter.
        chunk_path: path of the chunk that has the turn, from the companion's root; the link that
            the fact was read with where it is not given.

    Raises:
        ValueError: the fact has no text, or a source that is none.
    """
    if not fact.text.strip() or (fact.source and not is_source(fact.source)):
        raise ValueError(f"no fact: {fact}")
    parts = [f"- {escape_line(fact.text)}"]
    if fact.source:
        link = f"../../{chunk_path}" if chunk_path else fact.link
        parts.append(f"([{fact.source}]({link}))" if link else f"({fact.source})")
    if fact.trust != default_trust(fact.source):
        parts.append(f"`{fact.trust}`")
    parts += [f"`{name}`" for name in ("pinned", "reviewed") if getattr(fact, name)]
    return " ".join(parts)


def parse_line(line: str) -> Fact | None:
    """Read one line, with or without its bullet; None if it has no words."""
    found = _BULLET.fullmatch(line)
    return _fact(*split_tail((found[1] or "") if found else line.strip()))


def _fact(
    escaped: str, tail: Tail, topic: str = "", path: str = "", number: int = 0
) -> Fact | None:
    text = unescape(escaped)
    if not text.strip():
        return None
    known = bool(tail.source) and is_source(tail.source)
    said = [trust for trust in TRUSTS if trust in tail.marks]
    # A source that nobody can look up, or two classes at once: the least trusted it may be.
    broken = bool(tail.source) and not known
    trust = "imported" if broken else (said[-1] if said else default_trust(tail.source))
    return Fact(
        topic=topic,
        text=text,
        source=tail.source if known else "",
        trust=trust,
        pinned="pinned" in tail.marks,
        reviewed="reviewed" in tail.marks,
        path=path,
        line=number,
        link=tail.link if known else "",
    )


def is_facts_file(path: str) -> bool:
    """Whether a path is a facts file: directly in the folder, not hidden, ``.md``."""
    where = PurePosixPath(path)
    return (
        str(where.parent) == FACTS_FOLDER
        and where.suffix == ".md"
        and not where.name.startswith(".")
    )


def read_facts(files: Mapping[str, bytes]) -> tuple[tuple[Fact, ...], tuple[FileTrouble, ...]]:
    """Read the facts files, in order of path and line; other files are ignored.

    Args:
        files: content by path in the tree.

    Returns:
        The facts, and what could not be read. A broken line takes no other line with it, a broken
        file no other file.
    """
    facts: list[Fact] = []
    troubles: list[FileTrouble] = []
    for path in sorted(filter(is_facts_file, files)):
        try:
            lines = text_lines(files[path], path)
        except BadFile as error:
            troubles.append(FileTrouble(path, error.line, error.problem))
            continue
        for fact, trouble in _read_lines(lines, path):
            if fact is not None:
                facts.append(fact)
            if trouble is not None:
                troubles.append(trouble)
    return tuple(facts), tuple(troubles)


def text_lines(data: bytes, path: str) -> list[str]:
    """The lines of a small text file, ended by LF or CRLF. Raises BadFile: too large, not UTF-8."""
    if len(data) > FACTS_FILE_LIMIT:
        raise BadFile(path, 0, f"larger than {FACTS_FILE_LIMIT // 1024} KiB; not read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(path, line, "not UTF-8; it was not read") from error
    return [line.removesuffix("\r") for line in text.split("\n")]


def _read_lines(lines: list[str], path: str) -> Iterator[tuple[Fact | None, FileTrouble | None]]:
    topic = PurePosixPath(path).stem
    _, start = split_front_matter(lines)
    for number, line in enumerate(lines[start:], start + 1):
        if line[:1] in "<=>|" and is_conflict_mark(line):
            yield None, FileTrouble(path, number, "a merge conflict marker; both sides are read")
        elif (found := _BULLET.fullmatch(line)) and not _RULE.fullmatch(line):
            yield _read_one(found[1] or "", topic, path, number)
        elif not _NO_FACT.fullmatch(line):
            yield (
                None,
                FileTrouble(path, number, "not a fact: a fact is one line that starts with “- ”"),
            )


def _read_one(
    words: str, topic: str, path: str, number: int
) -> tuple[Fact | None, FileTrouble | None]:
    """Read the fact behind a bullet."""
    escaped, tail = split_tail(words)
    fact = _fact(escaped, tail, topic, path, number)
    if fact is None:
        return None, FileTrouble(path, number, "a fact without words")
    if len(fact.text) > MOST_CHARACTERS:
        return None, FileTrouble(
            path, number, f"a fact of more than {MOST_CHARACTERS:,} characters"
        )
    if tail.source and not fact.source:
        what = f"not a valid source: {tail.source}; it counts as imported"
        return fact, FileTrouble(path, number, what)
    return fact, None


def is_conflict_mark(line: str) -> bool:
    """Whether a line is one of git's conflict markers."""
    return bool(_CONFLICT.fullmatch(line))


def with_line(data: bytes | None, topic: str, line: str) -> bytes:
    """The file with a line added at its end; all other lines stay byte for byte.

    Args:
        data: the file; None: it is not there yet, and begins with a heading.
        topic: what the heading says then.
        line: as `render_line` makes it.
    """
    if not data:
        return f"# {topic[:1].upper()}{topic[1:].replace('-', ' ')}\n\n{line}\n".encode()
    end = b"\r\n" if b"\r\n" in data else b"\n"
    return data + (b"" if data.endswith(b"\n") else end) + line.encode() + end


def with_line_changed(data: bytes, number: int, line: str | None) -> bytes | None:
    """The file with one line changed or removed; all others stay byte for byte.

    Args:
        data: the file.
        number: the line, from 1.
        line: what stands there then; None: the line goes.

    Returns:
        The file; None where nothing but headings is left.
    """
    lines = data.split(b"\n")
    if line is not None:
        end = b"\r" if lines[number - 1].endswith(b"\r") else b""
        lines[number - 1] = line.encode() + end
        return b"\n".join(lines)
    del lines[number - 1]
    if all(not each.strip() or each.startswith(b"#") for each in lines):
        return None
    return b"\n".join(lines)
