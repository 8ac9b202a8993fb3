"""Placeholders that are misspelled, unknown or missing, and the speakers in sample dialogue."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from perdure.companion.persona.findings import Finding, PersonaText, PersonaTexts, quote

_MARK = re.compile(r"(?<!\{)\{\{(?P<inner>[^{}\n]{0,200})\}\}(?!\})")
_GOOD = re.compile(r" *(?:char|user) *", re.IGNORECASE)
_BENT = re.compile(
    r"(?<!\{)(?P<open>\{{1,3})\s*(?P<who>char(?:acter)?|user(?:name)?|usr)\s*(?P<close>\}{1,3})(?!\})"
    r"|\[\[ *(?P<square>char|user) *\]\]|%(?P<percent>char|user)%",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(?P<who>char|chr|character|user|bot)>", re.IGNORECASE)
_HERS = frozenset(
    {"character", "charname", "char_name", "chr", "cahr", "bot", "name", "assistant", "ai"}
)
_USERS = frozenset({"usr", "username", "user_name", "human", "uesr", "you"})
_WORD = r"[^\W\d_][\w.'\u2019-]{0,30}"
_LABEL = re.compile(rf"\**(?P<who>{_WORD}(?: {_WORD}){{0,2}})\** ?[:\uff1a]")
_TALK_END = re.compile(r"-{3,}|<START>", re.IGNORECASE)
_SPOKEN = re.compile(r"(?:\{\{ *(?:char|user) *\}\}|<BOT>|<USER>) *[:\uff1a]", re.IGNORECASE)
_ROLES = frozenset({"user", "you", "human", "assistant", "ai", "bot", "character", "char"})
_USER_ROLES = frozenset({"user", "you", "human"})


def placeholder_findings(persona: PersonaTexts) -> Iterator[Finding]:
    """Placeholders that stay unfilled, and labels that no one speaks under."""
    for text in persona.texts:
        found_marks: dict[tuple[str, str], tuple[Finding, int]] = {}
        for number, line in enumerate(text.text.split("\n"), text.first_line):
            for each in _marks(text, number, line):
                first, times = found_marks.get((each.what, each.next_step), (each, 0))
                found_marks[each.what, each.next_step] = (first, times + 1)
        for first, times in found_marks.values():
            more = f" (and {times - 1} more of it in this file)" if times > 1 else ""
            yield replace(first, what=first.what + more)
        if text.kind == "example":
            yield from _speakers(text, persona)
        if text.kind == "greeting" and (found := _SPOKEN.match(text.text)):
            yield Finding(
                "advice",
                "greeting-speaker",
                text.path,
                text.first_line,
                f"the greeting starts with {found[0]}, which she would say aloud",
                "remove it: the whole greeting is her words",
            )


def _marks(text: PersonaText, number: int, line: str) -> Iterator[Finding]:
    for found in _MARK.finditer(line):
        inner = found["inner"]
        if _GOOD.fullmatch(inner):
            continue
        meant = _meant(inner)
        shown = quote(found[0])
        yield Finding(
            "problem" if meant else "advice",
            "mark",
            text.path,
            number,
            f"{shown} is not replaced by a name; the model reads it as written",
            f"write {{{{{meant}}}}}"
            if meant
            else "remove it; only {{char}} and {{user}} are replaced",
        )
    for found in _BENT.finditer(line):
        if found["open"] and len(found["open"]) == len(found["close"]) == 2:
            continue
        who = found["who"] or found["square"] or found["percent"]
        right = "user" if who.lower().startswith("us") else "char"
        yield Finding(
            "problem",
            "mark",
            text.path,
            number,
            f"{quote(found[0])} is not a placeholder",
            f"write {{{{{right}}}}}",
        )
    for found in _TAG.finditer(line):
        if found[0] in ("<BOT>", "<USER>") or f"</{found['who']}>" in text.text:
            continue
        right = "user" if found["who"].lower() == "user" else "char"
        what = f"{found[0]} is not replaced by a name"
        yield Finding("advice", "mark", text.path, number, what, f"write {{{{{right}}}}}")


def _meant(inner: str) -> str:
    """``char`` or ``user``, whichever is close; "" if neither is."""
    word = inner.strip().strip("#/").lower()
    if word in _HERS:
        return "char"
    if word in _USERS:
        return "user"
    near = difflib.get_close_matches(word, ["char", "user"], n=1, cutoff=0.7)
    return near[0] if near else ""


def _speakers(text: PersonaText, persona: PersonaTexts) -> Iterator[Finding]:
    """Labels other than the placeholders, which are read as part of the words before."""
    labels: Counter[str] = Counter()
    first: dict[str, tuple[int, bool]] = {}
    begins = True
    for number, line in enumerate(text.text.split("\n"), text.first_line):
        found = _LABEL.match(line)
        if found and not _SPOKEN.match(line):
            labels[found["who"]] += 1
            first.setdefault(found["who"], (number, begins))
        if line.strip():
            begins = bool(_TALK_END.fullmatch(line.strip()))
    for who, (number, at_begin) in first.items():
        known = _known(who, persona)
        if known or at_begin or labels[who] > 1:
            yield Finding(
                "problem" if known else "advice",
                "example-speaker",
                text.path,
                number,
                f"“{quote(who)}:” is not a speaker here; it is read as part of the words before",
                f"write {{{{{known}}}}}:"
                if known
                else "only {{user}}: and {{char}}: can speak here",
            )


def _known(label: str, persona: PersonaTexts) -> str:
    word = label.casefold()
    if word == persona.name.casefold():
        return "char"
    if word == persona.user.casefold():
        return "user"
    if word in _ROLES:
        return "user" if word in _USER_ROLES else "char"
    return ""
