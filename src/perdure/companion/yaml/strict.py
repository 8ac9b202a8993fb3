"""YAML as data only: strings, lists, mappings, each with its line.

Read from ruamel's event stream rather than loaded, so that nothing in a stranger's file is
constructed: aliases, tags and a second document are refused, nesting and size are capped, and a
scalar stays the text that was typed. ``no``, ``off``, ``007`` and ``2026-11-22`` therefore mean
what the schema of their field says, under YAML 1.1 and 1.2 alike.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.companion.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE_LIMIT = 1024 * 1024
TEXT_LIMIT = 256 * 1024
"""Characters of a YAML text. The library takes a second for 60,000 of the worst."""
EVENT_LIMIT = 20_000
"""Values, keys, beginnings and ends in one text."""
DEPTH_LIMIT = 40
_PASSED_OVER = {"StreamStartEvent", "StreamEndEvent", "DocumentEndEvent", "CommentEvent"}
_HALVES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as typed. ``plain`` is False if it was quoted or a block."""

    text: str
    line: int
    plain: bool

    @property
    def absent(self) -> bool:
        """True for a key without a value (or with ``null`` or ``~``)."""
        return self.plain and self.text in {"", "~", "null"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: list[Node]
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping; ``lines`` holds the line of each key."""

    items: dict[str, Node]
    lines: dict[str, int]
    line: int


Node = Scalar | Sequence | Mapping


def decode(data: bytes, where: str) -> str:
    """Decode a small file: UTF-8, without a byte order mark, LF line ends.

    Raises BadFile where it is not UTF-8, or above 1 MiB.
    """
    if len(data) > SIZE_LIMIT:
        raise BadFile(where, 0, f"larger than {SIZE_LIMIT // 1024} KiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(where, line, "not UTF-8", next_step="save it as UTF-8") from error
    return text.replace("\r\n", "\n")


def read_mapping(data: bytes | str, where: str, first_line: int = 1) -> Mapping:
    """Read a file, or front matter starting at ``first_line``, as a mapping.

    An empty file is an empty mapping. Raises BadFile with file and line.
    """
    text = data if isinstance(data, str) else decode(data, where)
    if len(text) > TEXT_LIMIT:
        raise BadFile(where, first_line, f"more than {TEXT_LIMIT:,} characters of YAML")
    reader = _Reader(where, first_line - 1)
    node = reader.document(reader.events(text))
    if node is None or (isinstance(node, Scalar) and node.absent):
        return Mapping({}, {}, first_line)
    if not isinstance(node, Mapping):
        raise BadFile(where, node.line, "expected lines of the form 'key: value'")
    return node


@dataclass(slots=True)
class _Reader:
    where: str
    offset: int

    def events(self, text: str) -> Iterator[Any]:
        """The parser's events, with its errors as ours."""
        from ruamel.yaml import YAML  # 30 ms, and most commands read no YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            yield from YAML(typ="safe", pure=True).parse(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join(str(error.problem or error.context or "broken YAML").split())
            raise BadFile(self.where, self.line(mark), problem) from error
        except YAMLError as error:
            first = str(error).strip().splitlines() or ["broken YAML"]
            raise BadFile(self.where, 0, f"invalid YAML: {first[0]}") from error
        except Exception as error:
            # Its scanner was written for files that mean well: some bytes end it in an assertion.
            raise BadFile(self.where, 0, "broken YAML") from error

    def line(self, mark: Any) -> int:  # noqa: ANN401  ruamel's marks are untyped
        return self.offset + (mark.line + 1 if mark is not None else 0)

    def document(self, events: Iterator[Any]) -> Node | None:
        """The stream's only document, read without recursion; None if it is empty."""
        root: Node | None = None
        stack: list[_Open] = []
        documents = 0
        for number, event in enumerate(events):
            if number > EVENT_LIMIT:
                raise self.bad(event, f"more than {EVENT_LIMIT:,} keys and values")
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self.bad(event, "a second document ('---') in one file")
                continue
            if kind in _PASSED_OVER:
                continue
            if kind in {"MappingEndEvent", "SequenceEndEvent"}:
                node: Node = stack.pop().node
            else:
                started = self.start(event, kind)
                if not isinstance(started, Scalar):
                    if len(stack) >= DEPTH_LIMIT:
                        raise self.bad(event, f"nested deeper than {DEPTH_LIMIT} levels")
                    stack.append(_Open(started))
                    continue
                node = started
            if stack:
                self.put(stack[-1], node)
            else:
                root = node
        return root

    def start(self, event: Any, kind: str) -> Node:  # noqa: ANN401  as above
        if kind == "AliasEvent":
            raise self.bad(event, f"aliases are not allowed (*{event.anchor})")
        if getattr(event, "anchor", None):
            raise self.bad(event, f"anchors are not allowed (&{event.anchor})")
        if getattr(event, "tag", None):
            raise self.bad(event, f"tags are not allowed ({event.tag})")
        line = self.line(event.start_mark)
        if kind == "ScalarEvent":
            return Scalar(self.whole(event), line, plain=event.style in {None, ""})
        return Mapping({}, {}, line) if kind == "MappingStartEvent" else Sequence([], line)

    def whole(self, event: Any) -> str:  # noqa: ANN401  as above
        """A scalar's text, with surrogate pairs joined as in JSON.

        Raises BadFile for a half without its other: no file can hold it.
        """
        text: str = event.value
        if _HALVES.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if _HALVES.search(text):
            raise self.bad(event, "half of a character, which no text can contain")
        return text

    def put(self, place: _Open, node: Node) -> None:
        if isinstance(place.node, Sequence):
            place.node.items.append(node)
        elif place.key is None:
            if not isinstance(node, Scalar):
                raise BadFile(self.where, node.line, "a key must be plain text")
            if node.text in place.node.items:
                raise BadFile(self.where, node.line, f"'{node.text}' is given twice")
            place.key = node
        else:
            place.node.items[place.key.text] = node
            place.node.lines[place.key.text] = place.key.line
            place.key = None

    def bad(self, event: Any, problem: str) -> BadFile:  # noqa: ANN401  as above
        return BadFile(self.where, self.line(event.start_mark), problem)


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not closed yet."""

    node: Mapping | Sequence
    key: Scalar | None = None


def flattened(node: Node) -> str | list[str]:
    """A node as text or a list of texts; deeper structure becomes JSON."""
    match node:
        case Scalar():
            return "" if node.absent else node.text
        case Sequence():
            items = [flattened(item) for item in node.items]
            return [item if isinstance(item, str) else json.dumps(item) for item in items]
        case Mapping():
            pairs = {key: flattened(item) for key, item in node.items.items()}
            return json.dumps(pairs, ensure_ascii=False)
