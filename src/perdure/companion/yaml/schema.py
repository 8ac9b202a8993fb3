"""Turn a YAML node into a checked struct; errors name the line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints

import msgspec

from perdure.companion.errors import BadFile, Trouble
from perdure.companion.yaml import strict

_Shape = TypeVar("_Shape")
"""A struct or a dataclass."""

_PATH = re.compile(r"^(.*?) - at `\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]+|\.\.\.)\]")
_MISSING = re.compile(r"missing required field '(.+)'")
# Msgspec speaks of Python's types.
_WORDS = [
    (re.compile(r", got '\w+'$|^Invalid enum value '.*'$"), ""),
    (re.compile(r"'int( \| null)?'"), "a whole number"),
    (re.compile(r"'float( \| null)?'"), "a number"),
    (re.compile(r"'str'"), "text"),
    (re.compile(r"'bool'"), "yes or no"),
    (re.compile(r"'(str \| array|array \| str)'"), "a list of names"),
    (re.compile(r"'array'"), "a list"),
    (re.compile(r"'object'"), "lines of the form 'key: value'"),
]
_YES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def yes_no(text: str) -> bool | None:
    """Read ``yes``, ``no``, ``true``, ``false``, ``on`` or ``off``, in any case; else None."""
    return _YES.get(text.lower())


def convert(node: strict.Mapping, shape: type[_Shape], where: str) -> _Shape:
    """Check ``node`` against ``shape``; numbers are parsed from their text.

    A key with nothing behind it is as good as not there. Raises BadFile with the key's line.
    """
    try:
        return msgspec.convert(_values(node, shape), shape, strict=False)
    except msgspec.ValidationError as error:
        problem, line = _explain(str(error), node)
        raise BadFile(where, line, problem) from error


def unknown_keys(node: strict.Mapping, shape: Any) -> list[Trouble]:  # noqa: ANN401  as above
    """The keys of ``node`` that ``shape`` lacks, with a guess at what was meant."""
    known = shape.__match_args__
    troubles = []
    for key, line in node.lines.items():
        if key in known:
            continue
        import difflib  # only where there is something to guess

        near = difflib.get_close_matches(key, known, n=1)
        hint = f", did you mean '{near[0]}'?" if near else ""
        troubles.append(Trouble(line, f"unknown key '{key}'{hint}"))
    return troubles


def _values(node: strict.Node, shape: Any) -> Any:  # noqa: ANN401  plain data for msgspec
    match node:
        case strict.Scalar():
            # None is refused; of itself the library would take "1" for yes.
            return yes_no(node.text) if shape is bool else node.text
        case strict.Sequence():
            return [_values(item, None) for item in node.items]
        case strict.Mapping():
            fields = _fields(shape)
            return {
                key: _values(item, fields.get(key))
                for key, item in node.items.items()
                if not (isinstance(item, strict.Scalar) and item.absent)
            }


@lru_cache
def _fields(shape: Any) -> dict[str, Any]:  # noqa: ANN401  as above
    return get_type_hints(shape) if hasattr(shape, "__match_args__") else {}


def _explain(message: str, node: strict.Mapping) -> tuple[str, int]:
    """Msgspec's error in our words, and the line of the key."""
    found = _PATH.match(message)
    problem = (found[1] if found else message).replace("`", "'")
    here: strict.Node = node
    line = 0
    names = []
    for step in _STEP.finditer(found[2] if found else ""):
        if isinstance(here, strict.Mapping) and step[1] in here.items:
            names.append(step[1])
            line = here.lines[step[1]]
            here = here.items[step[1]]
        elif isinstance(here, strict.Sequence) and (step[2] or "").isdigit():
            here = here.items[int(step[2])]
            line = here.line
    name = ".".join(names)
    missing = _MISSING.search(problem)
    if missing:
        return f"'{f'{name}.' if name else ''}{missing[1]}' is missing", line
    got = f", not '{here.text}'" if isinstance(here, strict.Scalar) else ""
    for pattern, words in _WORDS:
        problem = pattern.sub(words, problem)
    problem = problem[:1].lower() + problem[1:]
    return (f"{name}: {problem}{got}" if names else problem), line
