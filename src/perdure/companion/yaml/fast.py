"""Front matter as the program writes it, read without the YAML library.

That library takes milliseconds for one small file, and a lorebook has hundreds of them.
Whatever is not exactly in this form is left to `strict`, which reads the same from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from perdure.companion.yaml.quote import is_plain
from perdure.companion.yaml.strict import Mapping, Node, Scalar
from perdure.companion.yaml.strict import Sequence as List

_LINE = re.compile(r"([a-z][a-z_]*):(?: (\S.*))?")
_ITEM = re.compile(r"  - (\S.*)")
_NUMBER = re.compile(r"-?[0-9]{1,12}")


def read_simple(lines: Sequence[str], first_line: int) -> Mapping | None:
    """Lines ``key: value`` and lists below a ``key:``; None where there is anything else."""
    items: dict[str, Node] = {}
    places: dict[str, int] = {}
    open_list: List | None = None
    for number, line in enumerate(lines, first_line):
        item = _ITEM.fullmatch(line)
        pair = None if item else _LINE.fullmatch(line)
        if item is not None and open_list is not None:
            value = _scalar(item[1], number)
            if value is None:
                return None
            open_list.items.append(value)
        elif pair is None or pair[1] in items:
            return None
        else:
            open_list = List([], number + 1) if pair[2] is None else None
            node = open_list if pair[2] is None else _scalar(pair[2], number)
            if node is None:
                return None
            items[pair[1]], places[pair[1]] = node, number
    if any(isinstance(node, List) and not node.items for node in items.values()):
        return None
    return Mapping(items, places, first_line)


def _scalar(text: str, line: int) -> Scalar | None:
    if _NUMBER.fullmatch(text) or is_plain(text):
        return Scalar(text, line, plain=True)
    # Where YAML and JSON part: what cannot be printed, and halves of characters.
    if text[0] != '"' or not text.isprintable() or "\\ud" in text.lower():
        return None
    try:
        return Scalar(json.loads(text), line, plain=False)
    except ValueError:
        return None
