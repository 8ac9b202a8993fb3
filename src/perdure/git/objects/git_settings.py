"""Files in trees that git itself obeys, and what of them ``git fsck --strict`` refuses.

``.gitmodules`` has led git to run programs (CVE-2018-11235, CVE-2018-17456), so that it, and the
servers that check what is pushed, refuse such a one wherever in a history it is.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_NAMES = {".gitmodules", ".gitattributes"}
_SHORT = re.compile(r"(gitmod|gitatt)~[1-4]|(gi7eba|gi7d29)~[1-9]")
"""What Windows calls them in eight letters."""
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SECTION = re.compile(r'\s*\[\s*submodule\s+"((?:[^"\\]|\\.)*+)"', re.IGNORECASE)
_SETTING = re.compile(r"(?:^|\])\s*(url|path|update)\s*=\s*(.*)", re.IGNORECASE)
_LONGEST_LINE = 2048
_LARGEST = 1024 * 1024


def setting_of(name: bytes) -> str:
    """Which of git's files an entry of a tree is taken for on some system; "" for none."""
    text = (
        _IGNORABLE.sub("", name.decode("utf-8", "replace")).lower().rstrip(". ").partition(":")[0]
    )
    if text in _NAMES:
        return text
    found = _SHORT.fullmatch(text)
    if found is None:
        return ""
    return ".gitmodules" if text.startswith(("gitmod", "gi7eba")) else ".gitattributes"


def refused(kind: str, data: bytes) -> str:
    """What git refuses in one of these files, in words; "" for nothing."""
    if kind == ".gitattributes":
        is_long = any(len(line) >= _LONGEST_LINE for line in data.split(b"\n"))
        return "its .gitattributes has a line of 2,048 bytes or more" if is_long else ""
    if len(data) > _LARGEST:
        return "its .gitmodules is larger than any"
    name = None
    for line in data.decode("utf-8", "replace").replace("\\\n", "").split("\n"):
        section = _SECTION.match(line)
        if section:
            name = section[1]
        setting = _SETTING.search(line)
        what, value = (setting[1].lower(), setting[2].strip('"\\ ')) if setting else ("", "")
        if name is not None and (says := _refused(name, what, value)):
            return says
    return ""


def _refused(name: str, what: str, value: str) -> str:
    """What is refused of a submodule's name and of one of its settings."""
    if ".." in re.split(r"[/\\]", name) or (what == "path" and value.startswith("-")):
        return "its .gitmodules names a place outside"
    if what == "update" and value.startswith("!"):
        return "its .gitmodules runs a program"
    if what == "url" and (value.startswith("-") or "\n" in unquote(value)):
        return "its .gitmodules has an address that is an option"
    return ""
