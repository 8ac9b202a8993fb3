"""``README.md``, the companion's page on a forge; its changing parts are kept current.

Two things are the program's: the list of months below the link to ``conversations/``, and the
avatar over a title that nothing stands before. Every other line stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from perdure.companion.conversation.escape import escape_field

README_PATH = "README.md"
AVATARS = ("avatar.png", "avatar.jpg", "avatar.webp")
"""Names in ``assets/``, the first that is there."""
_SHOWN = 12
"""Months that are linked, the newest."""
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}")
_CONVERSATIONS = re.compile(
    r"^( *)[-*] \[[^\]]*\]\((?:\./)?conversations/?\)[^\n]*\n?", re.MULTILINE
)
_MONTH = re.compile(r" *[-*] \[\d{4}-\d\d\]\((?:\./)?conversations/\d{4}-\d\d/?\)[ \t\r]*(?:\n|\Z)")


def updated_readme(
    readme: bytes, *, name: str, months: Iterable[str], assets: Sequence[str]
) -> bytes:
    """The current page; the same bytes if nothing changed or somebody rewrote it.

    Args:
        readme: the page; one that is not UTF-8 is left alone.
        name: the companion's.
        months: ``YYYY-MM``, in any order.
        assets: names of the files in ``assets/``.
    """
    try:
        text = readme.decode("utf-8")
    except UnicodeDecodeError:
        return readme
    return _with_avatar(_with_months(text, months), name, assets).encode("utf-8")


def _with_months(text: str, months: Iterable[str]) -> str:
    known = {each for each in months if _NAME.fullmatch(each)}
    newest = sorted(known, reverse=True)[:_SHOWN]
    link = _CONVERSATIONS.search(text)
    if link is None or not newest:
        return text
    end = link.end()
    while (month := _MONTH.match(text, end)) is not None:
        end = month.end()
    front = text[: link.start()] + link[0].rstrip("\n")
    links = [f"{link[1]}  - [{each}](conversations/{each}/)" for each in newest]
    return "\n".join([front, *links, text[end:]])


def _with_avatar(text: str, name: str, assets: Sequence[str]) -> str:
    avatar = next((each for each in AVATARS if each in assets), None)
    if avatar is None or not text.startswith("# "):
        return text
    return f"![{escape_field(name)}](assets/{avatar})\n\n{text}"
