"""Make plain text of a model's answer: whatever it says, it stays just words.

What comes out goes into files and prompts. So it has no controls, no marks of chat templates, of
Markdown or of quoting, no name in front as if that person spoke, and a limited length.
"""

from __future__ import annotations

import re
import unicodedata

from perdure.memory.injection import instruction_shaped
from perdure.memory.sentences import sentences

_TEMPLATE = re.compile(
    r"<\|[^|>\n]{0,40}\|>|<｜[^｜>\n]{0,40}｜>|\[/?INST\]|<</?SYS>>|</?s>|"  # noqa: RUF001 - DeepSeek's
    r"<(?:start|end)_of_turn>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>|<!--.*?-->", re.DOTALL)
_LINE_MARK = re.compile(
    r"^(?:[#>|*+•·\u2013\u2014-]+(?:\s|$)|\d{1,3}[.)]\s|[=~`_*-]{3,}|<{3,}|>{3,}|#{1,6})\s*"
)
_ROLE = re.compile(
    r"^(?:system|assistant|user|human|developer|tool|summary|zusammenfassung|总结|摘要|要約)\s*[:：]\s*",  # noqa: RUF001
    re.IGNORECASE,
)
_INLINE = re.compile(r"\*\*|__|`+|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_HEADING = re.compile(r"\s*(?:#{1,6}\s|\*\*[^*]{1,80}\*\*:?\s*$|[^|]*\|[\s:|-]+$)")
_NUMBER = re.compile(r"\[\d{1,9}\]\s*")
"""A turn's, as records of conversations have it."""
_OTHERS = re.compile(r"\b(?:she|he|they|sie|er)\b", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\]\n]{0,200})\]\([^)\n]{0,400}\)")


def one_line(text: str) -> str:
    """Put words on one line, without anything that a file, a prompt or a terminal would obey."""
    text = _TEMPLATE.sub(" ", text)
    text = _LINK.sub(r"\1", _TAG.sub(" ", text))
    kept = "".join(
        letter if letter == " " or unicodedata.category(letter)[0] not in "CZ" else " "
        for letter in text
        # Invisible controls go; the joiners that scripts need do not count.
        if unicodedata.category(letter) != "Cf" or letter in "\u200c\u200d"
    )
    line, before = " ".join(kept.split()), None
    while line != before:
        before = line
        line = _ROLE.sub("", _LINE_MARK.sub("", line))
    return " ".join(_INLINE.sub("", line).split())


def paragraph(text: str, most: int) -> str:
    """Make an answer one paragraph of at most ``most`` characters, cut at the end of a sentence.

    Sentences that give orders, repeat others, or only announce the answer are left out. Empty where
    nothing is left.
    """
    found: dict[str, None] = {}
    for line in text.replace("\r", "\n").split("\n"):
        if _HEADING.match(line):
            continue
        for sentence in sentences(one_line(_NUMBER.sub("", line))):
            if not sentence.endswith((":", "：")) and not is_order(sentence):  # noqa: RUF001
                found.setdefault(sentence)
    kept: list[str] = []
    length = 0
    for sentence in found:
        length += len(sentence) + 1
        if length > most + 1:
            break
        kept.append(sentence)
    if found and not kept:
        return shortened(next(iter(found)), most)
    return " ".join(kept)


def is_order(sentence: str) -> bool:
    """Whether a sentence of a summary reads as an instruction.

    ``she will`` and ``he has to`` are common in summaries, about people in the conversation; in a
    lone fact, whose "she" may be the companion, they are treated more strictly.
    """
    return instruction_shaped(_OTHERS.sub("one", sentence))


def shortened(text: str, most: int) -> str:
    """Shorten a text to at most ``most`` characters, at the end of a word where it has words."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    head, space, _ = cut.rpartition(" ")
    return f"{head if space and len(head) > most // 2 else cut}…"
