"""Recognise the files that editors, systems and sync programs leave beside people's own.

Scratch files are recognised by their name alone. So are copies whose name says that a sync program
made them; one whose name could be anybody's (``voice 2.md``) counts only where its original is
beside it. Sources of the shapes: the programs' documentation (Syncthing "conflicting changes",
Dropbox "conflicted copy", Nextcloud and ownCloud, Seafile ``SFConflict``, Resilio ``.Conflict``,
Synology Drive, rclone bisync, git-mergetool), and what their users report.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_SCRATCH_ENDS = (
    "~", ".swp", ".swx", ".swo", ".tmp", ".temp", ".bak", ".orig", ".rej", ".part", ".partial",
    ".crdownload", ".vsctmp", ".save", ".lock", "___jb_tmp___", "___jb_old___", ".bck", ".kate-bak",
    ".crswap", ".!sync", ".bts", ".filepart", ".icloud", ".ffs_tmp", ".ffs_db", ".lnk",
)  # fmt: skip
_SCRATCH_NAMES = ("desktop.ini", "thumbs.db", "ehthumbs.db", "icon\r", "$recycle.bin")
"""What Windows and macOS keep in a folder for themselves; in lower case."""
_NUMBERED = re.compile(r"\.save\.\d{1,4}\Z|\.sb-[0-9a-f]{8}-\w{6}\Z")
"""Of nano, and of macOS's editors while they write."""
_SCRATCH_STARTS = (".", "#", "~$", "~syncthing~")
_VIM_TRIAL, _VIM_STEP = 4913, 123
"""Vim tries whether it may write in a folder with a file of this name, or so much further on."""

_CONFLICT = (
    "conflict", "konflik", "conflit", "conflito", "конфликт", "конфлікт",
    "\u00e7ak\u0131\u015f", "ristirii",
    "競合", "冲突", "衝突", "충돌", "σύγκρουσ", "ütköz", "تعارض", "התנגש", "מתנגש", "case clash",
    "name clash", "koliz", "modstrid", "motstrid", "motstrijdig", "bertentangan", "xung đột",
    "ขัดแย้ง",
)  # fmt: skip
_COPY = (
    "copy", "copie", "kopie", "kopia", "kopi", "copia", "cópia", "còpia", "копия", "копію",
    "копія", "kopya", "kopio", "kopija", "kópia", "másolat", "salinan", "bản sao", "αντίγραφο",
    "コピー", "副本", "複本", "복사본", "사본", "نسخة", "עותק",
)  # fmt: skip
_COPY_WORD = "|".join(map(re.escape, sorted(_COPY, key=len, reverse=True)))
_SURE = re.compile(
    r"\.sync-conflict-\d{8}-\d{6}(?:-[A-Z0-9]{7})?"  # Syncthing
    r"|_conflict-(?:[^/]{1,64}-)?\d{8}-\d{6}"  # ownCloud, Nextcloud
)
_MAYBE = re.compile(
    r" \d{1,3}"  # iCloud
    rf"|[ _\u2013\u2014-]{{1,3}}(?:{_COPY_WORD})(?: ?\(?\d{{1,3}}\)?)?"  # file managers
    r"|\.(?:synced-)?conflict(?:[\d.-][\w.-]{0,40})?"  # Resilio, rclone
    r"|[ _-]{1,3}conflicted[ _-]copy[\w .-]{0,60}"
    r"|~(?:\d{1,3}|HEAD|[\w./-]{1,60})"  # numbered backups; git, of a folder and a file of one name
    r"|_(?:[\w' -]{1,60}_)?(?:case)?conflict(?:_\d+)?"  # Synology Drive
    r"|[._](?:BACKUP|BASE|LOCAL|REMOTE)[._]\d{1,8}"  # git mergetool
    r"|\.variant-[0-9a-f]{3,8}"  # git-annex
    r"|\.(?:bak|backup|old|orig|mine|r\d{1,8})\d*",  # editors, Subversion
    re.IGNORECASE,
)
# OneDrive adds the machine's name: one that Windows gave, in capitals with a digit, or of a kind.
_MACHINE = re.compile(
    r"-(?:(?:DESKTOP|LAPTOP|WIN|PC|SURFACE|NOTEBOOK)-?[A-Z0-9]{2,15}"
    r"|(?=[A-Z-]*\d)(?=[\d-]*[A-Z])[A-Z0-9][A-Z0-9-]{3,14}"
    r"|(?:[\w.'\u2019 -]{1,40}[ '\u2019-])?"
    r"(?:Mac ?Book|i?Mac|iPhone|iPad|PC|Laptop|Notebook|Desktop)"
    r"(?:[ -](?:Pro|Air|Mini|Max|Plus))?(?:\.local)?)(?:-\d{1,3})?"
)
_INSIDE_COPY = re.compile(rf"(?:[^\W\d]+ |\d+\w* )?(?:{_COPY_WORD})(?: \d{{1,3}})?", re.IGNORECASE)
_DATE = re.compile(r"20\d\d-?[01]\d-?[0-3]\d")
_LED = re.compile(rf"(?:{_COPY_WORD})(?: (?:of|von|de|di|van|av|af))? (?P<name>.+)", re.IGNORECASE)
"""Google Drive's and older systems' "Copy of", in front of the name."""
_EXTENSION = re.compile(r"(?!\A)\.\w{1,12}\Z")
_MARK_LIMIT = 200
"""Characters at the end of a name in which a mark is looked for."""


def is_scratch_file(name: str) -> bool:
    """Whether a file is a program's own, by its name: a swap file, a backup, a hidden one."""
    if name.startswith(_SCRATCH_STARTS) or name.endswith(_SCRATCH_ENDS):
        return True
    if name.casefold() in _SCRATCH_NAMES or _NUMBERED.search(name):
        return True
    if not (name.isascii() and name.isdigit() and len(name) <= 5):
        return False
    return int(name) >= _VIM_TRIAL and (int(name) - _VIM_TRIAL) % _VIM_STEP == 0


def original_of(name: str, beside: Iterable[str]) -> str | None:
    """The name of the file that this one is a copy of; None if it is no copy.

    Args:
        name: of a file or folder.
        beside: all names in the same folder.
    """
    known: set[str] | None = None
    for original, is_sure in possible_originals(name):
        if is_sure:
            return original
        known = {same_name(each) for each in beside} if known is None else known
        if same_name(original) in known:
            return original
    return None


def possible_originals(name: str) -> Iterator[tuple[str, bool]]:
    """The names this file may be a copy of, and whether its name alone proves that."""
    extension = found[0] if (found := _EXTENSION.search(name)) else ""
    if led := _LED.fullmatch(name):
        yield led["name"], False
    for stem, end in ((name.removesuffix(extension), extension), (name, "")):
        for original, is_sure in _parted(stem):
            yield original + end, is_sure


def same_name(name: str) -> str:
    """A name as seen by a disk that ignores case and accent encoding."""
    return unicodedata.normalize("NFC", name).casefold()


def _parted(stem: str) -> Iterator[tuple[str, bool]]:
    """A name without a possible copy mark at its end, and whether that alone proves a copy."""
    start = max(0, len(stem) - _MARK_LIMIT)
    opened = _opened(stem, start) if stem.endswith((")", "]")) else None
    if opened is not None:
        is_sure = _bracketed(stem[opened + 1 : -1])
        if is_sure is not None:
            yield stem[:opened].rstrip(" ._-"), is_sure
    for at in range(start, len(stem)):
        if _SURE.fullmatch(stem, at):
            yield stem[:at], True
        elif at and (_MAYBE.fullmatch(stem, at) or _MACHINE.fullmatch(stem, at)):
            yield stem[:at], False


def _opened(stem: str, start: int) -> int | None:
    """Where the bracket at the end of a name opens."""
    depth = 0
    for at in range(len(stem) - 1, start - 1, -1):
        depth += (stem[at] in ")]") - (stem[at] in "([")
        if depth == 0:
            return at or None
    return None


def _bracketed(inside: str) -> bool | None:
    """Whether the words in brackets prove a copy; None if they suggest none."""
    words = inside.casefold()
    if any(each in words for each in _CONFLICT):
        return "sfconflict" in words or any(each in words for each in _COPY)
    if _DATE.search(words) and len(re.findall(r"[^\W\d_]{2,}", words)) > 1:
        # In whatever language: who wrote it, and when.
        return False
    is_plain = inside.isascii() and inside.isdigit() and len(inside) <= 3
    return False if is_plain or _INSIDE_COPY.fullmatch(inside) else None
