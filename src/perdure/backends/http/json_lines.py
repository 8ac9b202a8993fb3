"""Read JSON objects from a stream's line, in all the ways that servers and gateways write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_decoder = json.JSONDecoder(strict=False)


def json_objects(text: str) -> tuple[list[Mapping[str, Any]], str]:
    """The objects at the start of a text, with or without ``data:`` between them, and the rest.

    Gateways glue frames together and put a head before a head; keep-alives are no objects and are
    left over.
    """
    found: list[Mapping[str, Any]] = []
    rest = _headless(text)
    while rest.startswith("{"):
        try:
            value, end = _decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            break
        found.append(value)
        rest = _headless(rest[end:])
    return found, rest


def _headless(text: str) -> str:
    text = text.strip()
    while text.startswith("data:"):
        text = text.removeprefix("data:").lstrip()
    return text
