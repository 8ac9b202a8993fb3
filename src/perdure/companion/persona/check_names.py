"""Names in a persona that contradict companion.yaml.

Only what says a name outright counts ("Your name is …", "Du heißt …"); a name that merely stands in
a text may be anybody's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.persona.findings import Finding, PersonaText, PersonaTexts, quote

_APOSTROPHE = "['\u2019]"
_USER = r"(?:the user|your user|\{\{ *user *\}\}|<USER>)"
_WORD = r"[^\W\d_][\w'\u2019-]{0,40}"
_OPENS = "[\"“\u2018'*_「『 ]{0,3}"
_LATIN = rf" ?{_OPENS}(?P<name>{_WORD}(?: {_WORD}){{0,3}})"
_CJK = (
    r"[:\uff1a ]?[“\"「『《*]{0,2}"
    r"(?P<cjk>[^\s\uff0c。\uff01\uff1f、,.!?\uff1a\uff1b:;“”「」『』\"\uff08\uff09()《》{}<>*]{1,16})"
)
_ENDS_LIKE_A_NAME = rf"(?=[,:] (?:an?|the|who|one|my|your|his|her|\{{\{{user)\b|[.!]|{_OPENS}$)"
_IS = rf"(?: is|{_APOSTROPHE}s)"
_ARE = rf"(?: are|{_APOSTROPHE}re)"
_AM = rf"\bI(?: am|{_APOSTROPHE}m)"


def _either(latin: tuple[str, ...], cjk: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(rf"(?i:{'|'.join(latin)})[:\uff1a]?{_LATIN}"),
        re.compile(rf"(?:{'|'.join(cjk)}){_CJK}"),
    )


_NAMES_HER = _either(
    (
        rf"\byour (?:full |first |given |own )?name{_IS}",
        rf"\byou{_ARE} (?:called|named)",
        r"\byou go by the name(?: of)?",
        r"\bdein name (?:ist|lautet)",
        r"\bdu hei(?:ß|ss)t",
    ),
    ("你的名字(?:是|叫做?)", "你名叫", "あなたの名前は", "(?:君|きみ)の名前は"),
)
_NAMES_SPEAKER = _either(
    (
        rf"\bmy (?:full |first |given |own )?name{_IS}",
        rf"{_AM} (?:called|named)",
        r"\bmein name (?:ist|lautet)",
        r"\bich hei(?:ß|ss)e",
    ),
    ("我的名字(?:是|叫做?)", "我名叫", "(?:私|わたし|僕|ぼく|俺)の名前は"),
)
_NAMES_USER = _either(
    (
        rf"{_USER}{_IS} (?:called|named)",
        rf"{_USER}{_APOSTROPHE}s (?:full |first |given )?name{_IS}",
        r"\b(?:the|your) user name is",
        r"\b(?:der nutzer|die nutzerin|der user|\{\{ *user *\}\}) hei(?:ß|ss)t",
        r"\bname (?:des nutzers|der nutzerin) ist",
    ),
    ("用户(?:的名字)?(?:叫做|名叫|叫|是叫)", "用户的名字是", "ユーザーの名前は"),
)
_PROBABLY_HER = re.compile(rf"(?i:\byou{_ARE}) {_OPENS}(?P<name>{_WORD}){_ENDS_LIKE_A_NAME}")
_HELLO = re.compile(
    rf"(?i:^\W*(?:hello|hi|hey|welcome|good (?:morning|evening|day))\b[^.!?\n]{{0,40}}[,.!?] +"
    rf"(?:I am|I{_APOSTROPHE}m|this is)) (?P<name>{_WORD}){_ENDS_LIKE_A_NAME}"
)
_SWAPPED = re.compile(rf"(?i)\byour (?:own )?name{_IS} \{{\{{ *user *\}}\}}")
_SWAPPED_USER = re.compile(
    rf"(?i){_USER}(?:{_APOSTROPHE}s name)?{_IS}(?: called| named)? \{{\{{ *char *\}}\}}"
)

_SENTENCE = 200
"""Characters around a name that may say more about it."""
_LOOKED_AT = 20_000
"""Characters of one line; a longer one is no prose."""

# Words in front that make it a supposition or somebody else's words.
_SUPPOSED = re.compile(
    r"\b(?:if|whether|that|when|as if|say|says|said|saying|pretend|not|never|think|thinks|ask|asks|"
    r"claim|claims|suppose|insist|insists|ob|wenn|dass|als ob) *[\"“:,]* *$",
    re.IGNORECASE,
)
_NO_NAMES = frozenset(
    {
        *("ai", "ki", "i", "it", "ok", "okay", "god", "the", "a", "an", "not", "no", "mr", "mrs"),
        *("american", "arab", "arabic", "asian", "austrian", "belgian", "brazilian", "british"),
        *("canadian", "chinese", "czech", "danish", "dutch", "english", "european", "finnish"),
        *("french", "german", "greek", "hungarian", "indian", "irish", "israeli", "italian"),
        *("japanese", "korean", "mexican", "norwegian", "polish", "portuguese", "roman"),
        *("russian", "scottish", "spanish", "swedish", "swiss", "turkish", "ukrainian", "welsh"),
        *("african", "australian", "buddhist", "catholic", "christian", "hindu", "jewish"),
        *("muslim", "victorian", "egyptian", "persian", "here", "there", "welcome", "free"),
    }
)
_TITLES = frozenset(
    {
        *("dr", "mr", "mrs", "ms", "miss", "sir", "lady", "lord", "captain", "professor", "aunt"),
        *("uncle", "the", "of", "von", "van", "de"),
    }
)


@dataclass(frozen=True, slots=True)
class StatedName:
    """A name that a text gives the companion or the user."""

    text: PersonaText
    line: int
    name: str
    of_user: bool
    certain: bool


def name_findings(persona: PersonaTexts) -> Iterator[Finding]:
    """Names that contradict companion.yaml."""
    others: dict[str, StatedName] = {}
    for text in persona.texts:
        known: set[tuple[str, bool]] = set()
        for said in stated_names(text, persona.name, persona.user):
            key = said.name.casefold()
            if not said.of_user:
                others.setdefault(key, said)
            if (key, said.of_user) not in known:
                known.add((key, said.of_user))
                yield _contradiction(persona, said)
        yield from _swapped(text)
    if len(others) > 1:
        all_of_them = list(others.values())
        places = ", ".join(f"{quote(one.name)} ({one.text.path})" for one in all_of_them[:5])
        yield Finding(
            "problem",
            "names-differ",
            SETTINGS,
            0,
            f"the persona uses {len(all_of_them)} other names for {persona.name}: {places}",
            "write {{char}} for the companion's name everywhere",
        )


def _contradiction(persona: PersonaTexts, said: StatedName) -> Finding:
    whose, key, name, mark = (
        ("the user", "user", persona.user, "{{user}}")
        if said.of_user
        else ("the companion", "name", persona.name, "{{char}}")
    )
    return Finding(
        "problem" if said.certain else "advice",
        "user-name" if said.of_user else "name",
        said.text.path,
        said.line,
        f"{whose} is called {quote(said.name)} here, companion.yaml says {key}: {name}",
        f"write {mark} here, or change {key} in companion.yaml",
    )


def _swapped(text: PersonaText) -> Iterator[Finding]:
    for number, line in _lines(text):
        for pattern, wrong, right in (
            (_SWAPPED, "the user's name as the companion's", "{{char}}"),
            (_SWAPPED_USER, "the companion's name as the user's", "{{user}}"),
        ):
            if pattern.search(line):
                what = f"this gives {wrong}"
                yield Finding("problem", "name-swapped", text.path, number, what, f"write {right}")


def stated_names(text: PersonaText, name: str, user: str) -> Iterator[StatedName]:
    """The names in a text that differ from those in companion.yaml."""
    by_user = False
    for number, line in _lines(text):
        if text.kind == "example":
            speaker = _SPEAKER.match(line)
            by_user = speaker["who"].lower() == "user" if speaker else by_user
        for found, of_user, certain in _found(text, line, by_user=by_user):
            stated = _trimmed(found)
            known = user if of_user else name
            if not stated or _is_same(stated, known):
                continue
            after = line[found.end() : found.end() + _SENTENCE]
            sentence = re.split(r"[.!?。\uff01\uff1f]", after)[0]
            mark = "{{user}}" if of_user else "{{char}}"
            if known.casefold() in sentence.casefold() or mark in sentence:
                continue  # "Your name is Miranda, but everyone calls you Mira."
            yield StatedName(text, number, stated, of_user, certain)


_SPEAKER = re.compile(r"(?:\{\{ *(?P<who>char|user) *\}\}) *[:\uff1a]", re.IGNORECASE)


def _found(
    text: PersonaText, line: str, *, by_user: bool
) -> Iterator[tuple[re.Match[str], bool, bool]]:
    """The matches: whether each is about the user, and whether it is certain."""
    to_her = text.kind in ("prompt", "reminder")
    patterns = [(pattern, False, True) for pattern in _NAMES_HER if to_her]
    patterns += [(pattern, True, True) for pattern in _NAMES_USER if to_her]
    patterns += [(pattern, by_user, True) for pattern in _NAMES_SPEAKER]
    if to_her:
        patterns.append((_PROBABLY_HER, False, False))
    if text.kind == "greeting":
        patterns.append((_HELLO, False, False))
    for pattern, of_user, certain in patterns:
        for found in pattern.finditer(line):
            before = line[: found.start()]
            if _SUPPOSED.search(before[-_SENTENCE:]) or (not to_her and _in_quotes(before)):
                continue
            yield found, of_user, certain


def _in_quotes(before: str) -> bool:
    """Whether a quotation follows: in stories, other characters introduce themselves."""
    return before.count('"') % 2 == 1 or before.rfind("“") > before.rfind("”")


def _trimmed(found: re.Match[str]) -> str:
    """The name at the start of a match; "" if there is none."""
    groups = found.groupdict()
    if groups.get("cjk"):
        return re.sub(r"(?:です|だよ|だ|という|といいます|と言います|の).*$", "", groups["cjk"])
    words = []
    for word in (groups["name"] or "").split(" "):
        if word[0].lower() == word[0] and word[0].upper() != word[0]:
            break
        words.append(re.sub(r"['\u2019]s?$", "", word))
    return "" if not words or words[0].casefold() in _NO_NAMES else " ".join(words)


def _is_same(stated: str, known: str) -> bool:
    """Whether one name may be short for the other: a shared word or the same beginning."""
    one, two = (unicodedata.normalize("NFKC", name).casefold() for name in (stated, known))
    if one in two or two in one:
        # "Ann" for "Anna"; but a letter or two begin many names.
        return min(len(one), len(two)) > 2 or not (one + two).isascii() or one == two
    words = [set(re.findall(r"\w+", name)) - _TITLES for name in (one, two)]
    return bool(words[0] & words[1])


def _lines(text: PersonaText) -> Iterator[tuple[int, str]]:
    lines = text.text.split("\n")
    return ((number, line[:_LOOKED_AT]) for number, line in enumerate(lines, text.first_line))
