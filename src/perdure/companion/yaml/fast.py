"""Split front matter from text, and read it quickly when perdure wrote it.

The YAML library takes milliseconds for one small file, and a lorebook has hundreds of them.
Whatever is not exactly in this form is left to the strict reader, which reads the same from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from perdure.companion.errors import BadFile, Trouble
from perdure.companion.yaml.quote import is_plain
from perdure.companion.yaml.strict import Mapping, Node, Scalar, read_mapping
from perdure.companion.yaml.strict import Sequence as List

FENCE = "---"
_LINE = re.compile(r'([a-z][a-z0-9_-]*|"(?:[^"\\]|\\.)*"):(?: (\S.*))?')
_ITEM = re.compile(r"  - (\S.*)")
# Numbers, times and ids.
_NUMBER = re.compile(r"-[0-9]{1,12}|[0-9][\w./+-]*(?:[ :][\w./+-]+)*")
# Where YAML and JSON part: what is no character or a line's end there, and halves of characters.
_APART = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|\\u[dD]")


def split_front_matter(lines: Sequence[str]) -> tuple[Sequence[str], int]:
    """The lines between the two ``---``, and where the text starts; 0 if there are none."""
    try:
        end = lines.index(FENCE, 1) if lines[0] == FENCE else 0
    except ValueError:
        end = 0
    return lines[1:end], end and end + 1


def read_front_matter(lines: Sequence[str], where: str, first_line: int = 2) -> Mapping:
    """Read front matter lines; ``first_line`` is the file line of the first.

    Raises:
        BadFile: they are not of the form ``key: value``, or no YAML that is only data.
    """
    found = read_simple(lines, first_line)
    return found or read_mapping("\n".join(lines), where, first_line)


def read_undamaged(lines: Sequence[str], first_line: int = 2) -> tuple[Mapping, list[Trouble]]:
    """Read as much of it as possible, line by line if it is broken. Never raises."""
    try:
        return read_front_matter(lines, "", first_line), []
    except BadFile as error:
        troubles = [Trouble(error.line or first_line, error.problem)]
    front = Mapping({}, {}, first_line)
    for number, line in enumerate(lines, first_line):
        found = read_simple([line], number)
        if found and not found.items.keys() & front.items.keys():
            front.items.update(found.items)
            front.lines.update(found.lines)
        elif line.strip():
            troubles.append(Trouble(number, f"skipped: {line}"))
    return front, troubles


def read_simple(lines: Sequence[str], first_line: int) -> Mapping | None:
    """Read ``key: value`` lines and lists below a ``key:``; None if there is anything else."""
    items: dict[str, Node] = {}
    places: dict[str, int] = {}
    open_list: List | None = None
    for number, line in enumerate(lines, first_line):
        if open_list is not None and (item := _ITEM.fullmatch(line)):
            value = _scalar(item[1], number)
            if value is None:
                return None
            open_list.items.append(value)
            continue
        pair = _LINE.fullmatch(line)
        key = _key(pair[1]) if pair else None
        if not pair or key is None or key in items or (open_list and not open_list.items):
            return None
        open_list = List([], number + 1) if pair[2] is None else None
        node = open_list or _value(pair[2], number)
        if node is None:
            return None
        items[key], places[key] = node, number
    if open_list is not None and not open_list.items:
        return None
    return Mapping(items, places, first_line)


def _key(text: str) -> str | None:
    if text[0] != '"':
        return text
    key = _json(text)
    return key if isinstance(key, str) else None


def _value(text: str, line: int) -> Node | None:
    if text[0] != "[":
        return _scalar(text, line)
    items = _json(text)
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return None
    return List([Scalar(item, line, plain=False) for item in items], line)


def _scalar(text: str, line: int) -> Scalar | None:
    if text[0] == '"':
        value = _json(text)
        return Scalar(value, line, plain=False) if isinstance(value, str) else None
    is_typed = is_plain(text) or (_NUMBER.fullmatch(text) and text.isprintable())
    return Scalar(text, line, plain=True) if is_typed else None


def _json(text: str) -> object:
    """The value, if the text means the same in JSON and YAML; None if it may not."""
    try:
        return None if _APART.search(text) else json.loads(text)
    except (ValueError, RecursionError):
        return None
