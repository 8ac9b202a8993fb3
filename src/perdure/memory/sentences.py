"""Split text into sentences, in English and its relatives, Chinese and Japanese."""

from __future__ import annotations

import re

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？｡．]+[」』”’）】]*|\n+")  # noqa: RUF001 - CJK
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|No|approx|e\.g|i\.e|z\.B|bzw|ca|Nr)"
    r"\.$"
)

_ORDINAL = re.compile(r"(?:^|[\s(])\d{1,2}\.$")
_MONTH = re.compile(
    r"\s(?:Jan|Feb|Mär|Mar|Apr|Mai|Maj|Jun|Jul|Aug|Sep|Okt|Nov|Dez|Des|Dec)", re.IGNORECASE
)
"""The 3. of a month: a full stop makes an ordinal of it in German and its kin."""


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line. The end of a line also ends a sentence."""
    found, begin = [], 0
    for end in _END.finditer(text):
        piece = text[begin : end.end()]
        if "\n" not in end[0] and _ABBREVIATION.search(piece):
            continue
        if _ORDINAL.search(piece) and _MONTH.match(text, end.end()):
            continue
        found.append(piece)
        begin = end.end()
    found.append(text[begin:])
    return [line for piece in found if (line := " ".join(piece.split()))]
