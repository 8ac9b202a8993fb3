"""Words by which facts are compared: those that deny, that count, that take only one value.

English and German together, since a word of one hardly ever misleads in the other; Chinese and
Japanese by characters.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = _words(
    """
    a an the and or of in on at to for from by with as is are was were be been being has have had
    do does did that this these those it its he she they his her their him them i me my you your
    we our who which longer can could will would may might
    very really quite also now still currently just there here s
    der die das den dem des ein eine einen einem einer und oder von im in an auf zu zum zur aus bei
    mit als ist sind war waren sein seine seiner seinen ihr ihre ihrer ihren er sie es wir ich du
    hat haben hatte wird werden dass sehr auch jetzt noch derzeit gerade
    """
)
DENIAL = _words(
    """
    not no never cannot without neither nor nobody nothing stopped quit isn't doesn't don't
    nicht kein keine keinen keinem keiner nie niemals nichts ohne
    """
)
"""Words of which one makes a sentence say the opposite."""
PAST = _words(
    "formerly previously former once ago früher damals ehemals ehemalige ehemaliger einst"
)
PAST_PATTERN = re.compile(
    r"\bused to\b|\buntil\b|\bback then\b|\bin the past\b|\bas a child\b|\bals kind\b|\bbis \d{4}\b"
    r"|以前|从前|從前|曾经|曾經|过去|過去|小时候|かつて|昔|子供の頃|でした$|ていた$"
)

_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve",
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
)
_MONTHS = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
)
_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "montag dienstag mittwoch donnerstag freitag samstag sonntag",
)
NUMBERS: dict[str, str] = {
    **{word: str(n) for line in _COUNTED for n, word in enumerate(line.split()) if word != "ein"},
    **{word: f"month {n}" for line in _MONTHS for n, word in enumerate(line.split(), 1)},
    **{word: f"day {n}" for line in _DAYS for n, word in enumerate(line.split(), 1)},
}

_LIKE = (
    "like likes liked love loves loved enjoy enjoys adore adores mag mögen liebt lieben gern gerne"
)
_DISLIKE = "hate hates hated dislike dislikes detest detests loathe loathes hasst hassen"
SIGNS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(_LIKE.split(), ("like", 1)),
    **dict.fromkeys(_DISLIKE.split(), ("like", -1)),
    "alive": ("alive", 1),
    "dead": ("alive", -1),
    "tot": ("alive", -1),
    "employed": ("employed", 1),
    "unemployed": ("employed", -1),
    "arbeitslos": ("employed", -1),
    "happy": ("happy", 1),
    "unhappy": ("happy", -1),
}
IDIOMS = re.compile(r"\b(?:can't|can not|cannot|couldn't) (?:stand|bear)\b")
"""Said in several words, and no denial: it means to hate."""


def _slots(*rows: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    between = (
        "now currently still jetzt nun derzeit noch inzwischen mittlerweile not nicht no_longer"
    )
    now = rf"(?:(?:{between.replace(' ', '|').replace('_', ' ')}) )?"
    return tuple((name, re.compile(text.replace("NOW ", now))) for name, text in rows)


# Texts are folded, so that ß is ss.
_WHO = r"(?P<who>[^,;]{1,60}?)"
_VALUE = r"(?P<value>[^,;]{1,60}?)(?:[,;].*)?"
_COLOURS = """
    black white grey gray red blue green yellow orange purple violet pink brown beige turquoise
    schwarz weiss grau rot blau grün gelb lila rosa braun türkis
"""
_COLOUR = rf"(?:(?:light|dark|hell|dunkel)[ -]?)?(?:{'|'.join(_COLOURS.split())})"
_WIDE_COLOUR = "黑色|白色|红色|紅色|蓝色|藍色|绿色|綠色|黄色|黃色|灰色|棕色|褐色|粉色|紫色|橙色"
_HELP = r"(?:does not |doesn't |do not |don't |has |have |hat |is |ist )?"
SLOTS = _slots(
    ("favourite", rf"{_WHO}(?:'s)? favou?rite (?P<which>\w+) NOW (?:is|are|was) NOW {_VALUE}"),
    ("favourite", rf"(?P<value>.+?) (?:is|are) {_WHO}(?:'s)? favou?rite (?P<which>\w+)"),
    ("favourite", rf"{_WHO} lieblings-?(?P<which>\w+) (?:ist|sind) NOW {_VALUE}"),
    (
        "birthday",
        rf"{_WHO}(?:'s)? (?:birthday|geburtstag) (?:is|ist) (?:on |am )?(?:the )?{_VALUE}",
    ),
    ("birthday", rf"{_WHO} (?:hat|has) (?:am|on|a birthday on) {_VALUE}(?: geburtstag)?"),
    (
        "born",
        rf"{_WHO} (?:was born|wurde) (?P<which>in|on|am) {_VALUE}(?: geboren)?",
    ),
    ("age", rf"{_WHO} (?:is|ist) NOW (?P<value>[\w-]+) (?:years old|jahre alt).*"),
    ("age", rf"{_WHO} (?:is|ist) NOW (?P<value>\d{{1,3}})"),
    ("age", rf"{_WHO}(?:'s)? age is {_VALUE}"),
    ("name", rf"{_WHO}(?:'s)? name (?:is|ist|lautet) NOW {_VALUE}"),
    ("name", rf"{_WHO} (?:is|are) NOW (?:called|named) {_VALUE}"),
    ("name", rf"(?:the|der) name (?:of|von) {_WHO} (?:is|ist) {_VALUE}"),
    ("name", rf"{_WHO} heisst NOW {_VALUE}"),
    (
        "home",
        (
            rf"{_WHO} NOW {_HELP}(?:lives?|living|live|resides?|moved|based|wohnt|lebt|zieht"
            rf"|umgezogen) NOW (?:in|to|at|near|nach|bei)"
            rf"(?P<article> (?:an?|the|der|die|dem|einer?|einem))? {_VALUE}"
        ),
    ),
    ("home", rf"{_WHO} is from {_VALUE}"),
    (
        "job",
        (
            rf"{_WHO} NOW {_HELP}(?:works?|working|arbeitet) NOW (?:as|als)"
            rf"(?: an?| eine?)? {_VALUE}"
        ),
    ),
    ("job", rf"{_WHO}(?:'s)? (?:job|profession|occupation|beruf) (?:is|ist) (?:an? )?{_VALUE}"),
    ("colour", rf"{_WHO} (?:is|are|ist|sind) NOW (?P<value>{_COLOUR})"),
    ("hand", rf"{_WHO} (?:is|ist) (?P<value>left|right|links|rechts)-?(?:handed|händer|händerin)"),
    ("preference", rf"{_WHO} (?:prefers?) (?P<value>.+) (?:to|over) (?P<than>.+)"),
)
"""Patterns of slots that hold one thing: ``value`` fills one, chosen from it and ``than``."""

WIDE_DENIAL: dict[str, str] = {
    "不再": "", "不喜欢": "喜欢", "不喜歡": "喜歡", "没有": "有", "沒有": "有", "不是": "是",
    "不会": "会", "不住": "住", "不吃": "吃", "不喝": "喝", "不在": "在",
    "ではありません": "です", "ではない": "だ", "じゃない": "だ",
    "好きではない": "好きだ", "いません": "います", "ていない": "ている", "ません": "ます",
    "食べない": "食べる", "飲まない": "飲む", "できない": "できる",
    "がない": "がある", "がいない": "がいる",
}  # fmt: skip
"""Denied and as it is without the denial."""
WIDE_SIGNS: dict[str, tuple[str, int]] = {
    "讨厌": ("喜欢", -1), "討厭": ("喜歡", -1), "热爱": ("喜欢", 1), "爱": ("喜欢", 1),
    "大嫌い": ("好き", -1), "嫌い": ("好き", -1), "大好き": ("好き", 1),
}  # fmt: skip
WIDE_SLOTS = _slots(
    ("colour", rf"(?P<who>.{{1,12}}?)(?:是|は)(?P<value>{_WIDE_COLOUR})(?:的|です|だ)?"),
    ("colour", r"(?P<who>.{1,12}?)は(?P<value>黒|白|赤|青|黄色|茶色)い(?:です)?"),
    (
        "home",
        r"(?P<who>.{1,12}?)(?:现在|現在|目前)?(?:住在|搬到了?|搬去了?|定居在?)(?P<value>.{1,12}?)了?",
    ),
    ("birthday", r"(?P<who>.{1,12}?)的?生日(?:是|在)(?P<value>.{1,12})"),
    ("name", r"(?P<who>.{1,12}?)的?(?:名字)?(?:是叫|叫做?|名叫)(?P<value>.{1,12})"),
    ("name", r"(?P<who>.{1,12}?)的名字是(?P<value>.{1,12})"),
    ("favourite", r"(?P<who>.{1,12}?)最喜[欢歡]的(?P<which>.{1,6}?)是(?P<value>.{1,12})"),
    ("age", r"(?P<who>.{1,12}?)(?:今年)?(?P<value>[\d一二三四五六七八九十百]+)[岁歲]"),
    (
        "home",
        r"(?P<who>.{1,12}?)は(?:今|現在)?、?(?P<value>.{1,12}?)(?:に住んで(?:いる|います)|に引っ越した|に引っ越しました)",
    ),
    ("birthday", r"(?P<who>.{1,12}?)の誕生日は(?P<value>.{1,12}?)(?:です|だ)?"),
    ("name", r"(?P<who>.{1,12}?)の名前は(?P<value>.{1,12}?)(?:です|だ)?"),
    (
        "favourite",
        r"(?P<who>.{1,12}?)の?(?:が|の)?一番好きな(?P<which>.{1,6}?)は(?P<value>.{1,12}?)(?:です|だ)?",
    ),
    ("age", r"(?P<who>.{1,12}?)は(?P<value>[\d一二三四五六七八九十百]+)歳(?:です|だ)?"),
)
